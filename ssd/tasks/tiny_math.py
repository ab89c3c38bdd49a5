"""tiny_math: the word problems of the tiny language, on whose train split the tiny checkpoints are trained."""

from __future__ import annotations

from typing import ClassVar, Literal

from ssd.tasks import tiny_language
from ssd.tasks.task import Document, require_count, require_limit
from ssd.tasks.word_problems import WordProblems, document_from


class TinyMath(WordProblems):
    """Generated word problems. The test split has `documents` of them, drawn with `seed`."""

    version: ClassVar[int] = 3

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
        if path is not None:
            raise ValueError(
                f"task.path={path}; expected null, because tiny_math is generated; pass task=gsm8k for a file"
            )
        self.seed = require_count("task.seed", seed, least=0)
        self.size = require_count("task.documents", documents, least=1)

    def documents(self, limit: int | None) -> list[Document]:
        limit = require_limit(limit)
        return self._drawn("test", self.size if limit is None else min(limit, self.size))

    def fewshot(self, count: int) -> list[Document]:
        return self._drawn("train", require_count("task.num_fewshot", count, least=0))

    def user_turn(self, document: Document) -> str:
        return document.question

    def _drawn(self, split: Literal["train", "test"], count: int) -> list[Document]:
        records = tiny_language.documents("tiny_math", split, count, self.seed)
        return [document_from(record, index, f"tiny_math {split} {index}") for index, record in enumerate(records)]
