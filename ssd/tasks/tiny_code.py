"""tiny_humaneval and tiny_mbpp: the functions of the tiny language, on which the tiny checkpoints are trained."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from ssd.tasks import humaneval, mbpp, tiny_language
from ssd.tasks.code_task import CodeDocument, CodeTask
from ssd.tasks.extraction.code import humaneval_program, mbpp_program
from ssd.tasks.task import Document, require_count, require_limit


class TinyCode(CodeTask):
    """Generated functions. The test split has `documents` of them, drawn with `seed`.

    As in training, the user's turn is the question alone and the response is a fenced function.
    """

    version: ClassVar[int] = 3
    language: ClassVar[str]
    """The task's name in the tiny language."""

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
        if path is not None:
            real = self.language.removeprefix("tiny_")
            raise ValueError(
                f"task.path={path}; expected null, because {self.language} is generated; pass task={real} for a file"
            )
        self.seed = require_count("task.seed", seed, least=0)
        self.size = require_count("task.documents", documents, least=1)

    @staticmethod
    @abstractmethod
    def document_from(record: Mapping[str, Any], index: int, place: str) -> CodeDocument:
        """Return the document of a row in the format of the real task."""

    def documents(self, limit: int | None) -> list[CodeDocument]:
        limit = require_limit(limit)
        return self._drawn("test", self.size if limit is None else min(limit, self.size))

    def fewshot(self, count: int) -> list[CodeDocument]:
        return self._drawn("train", require_count("task.num_fewshot", count, least=0))

    def user_turn(self, document: Document) -> str:
        return document.question

    def raw_prompt(self, document: Document, examples: Sequence[Document]) -> str:
        shots = [f"{example.question}\n{example.solution}\n\n" for example in examples]
        return "".join(shots) + f"{document.question}\n"

    def _drawn(self, split: Literal["train", "test"], count: int) -> list[CodeDocument]:
        documents: list[CodeDocument] = []
        for index, record in enumerate(tiny_language.documents(self.language, split, count, self.seed)):
            document = self.document_from(record, index, f"{self.language} {split} {index}")
            documents.append(replace(document, solution=tiny_language.response(self.language, record)))
        return documents


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
