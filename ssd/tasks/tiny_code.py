"""tiny_humaneval and tiny_mbpp: the functions of the tiny language, on which the tiny checkpoints are trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ssd.tasks import humaneval, mbpp
from ssd.tasks.code_task import CodeDocument, CodeTask
from ssd.tasks.extraction.code import humaneval_program, mbpp_program
from ssd.tasks.task import Document
from ssd.tasks.tiny_language import TinyTask


class TinyCode(TinyTask[CodeDocument], CodeTask):
    """Generated functions. The test split has `documents` of them, drawn with `seed`.

    As in training, the user's turn is the question alone and the response is a fenced function.
    """

    version: ClassVar[int] = 3

    def __init__(
        self,
        name: str,
        path: str | None = None,
        seed: int = 0,
        documents: int = 100,
        num_fewshot: int = 0,
        chat: bool = True,
        workers: int = 2,
        time_limit_s: float = 10,
        allow_unsafe_code: bool = False,
    ) -> None:
        super().__init__(name, num_fewshot, chat, workers, time_limit_s, allow_unsafe_code)
        self.draw_from(path, seed, documents)

    def raw_prompt(self, document: Document, examples: Sequence[Document]) -> str:
        shots = [f"{example.question}\n{example.solution}\n\n" for example in examples]
        return "".join(shots) + f"{document.question}\n"


class TinyHumanEval(TinyCode):
    """Functions given by signature and docstring, as in HumanEval."""

    language: ClassVar[str] = "tiny_humaneval"
    document_from = staticmethod(humaneval.document_from)

    def extract(self, text: str, document: CodeDocument) -> str | None:
        return humaneval_program(text, document.question, document.names[0], self.chat)


class TinyMBPP(TinyCode):
    """Functions described in words, as in MBPP."""

    language: ClassVar[str] = "tiny_mbpp"
    document_from = staticmethod(mbpp.document_from)

    def extract(self, text: str, document: CodeDocument) -> str | None:
        return mbpp_program(text, [document.target], self.chat)
