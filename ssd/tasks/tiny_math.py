"""tiny_math: the word problems of the tiny language, on whose train split the tiny checkpoints are trained."""

from __future__ import annotations

from typing import ClassVar

from ssd.tasks.task import Document
from ssd.tasks.tiny_language import TinyTask
from ssd.tasks.word_problems import WordProblems, document_from


class TinyMath(TinyTask[Document], WordProblems):
    """Generated word problems. The test split has `documents` of them, drawn with `seed`."""

    version: ClassVar[int] = 3
    language: ClassVar[str] = "tiny_math"
    document_from = staticmethod(document_from)

    def __init__(
        self,
        name: str = "tiny_math",
        path: str | None = None,
        seed: int = 0,
        documents: int = 100,
        num_fewshot: int = 0,
        chat: bool = True,
    ) -> None:
        super().__init__(name, num_fewshot, chat)
        self.draw_from(path, seed, documents)
