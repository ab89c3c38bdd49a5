"""GSM8K: grade-school word problems (openai/grade-school-math), from a local file or the Hub."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ssd.tasks.rows import Split
from ssd.tasks.task import Document, first
from ssd.tasks.word_problems import WordProblems, document_from

TEST = Split("GSM8K's test split", "openai/gsm8k", "main", "test")
TRAIN = Split("GSM8K's train split", "openai/gsm8k", "main", "train")


class GSM8K(WordProblems):
    """GSM8K's test split, with the prompts of lm-eval's gsm8k.

    Few-shot examples are the first `num_fewshot` of the train split, the same for every document. Like lm-eval's, they
    keep their calculator annotations (`<<2*9=18>>`). lm-eval draws new examples for each document.
    """

    version: ClassVar[int] = 4

    def __init__(
        self,
        name: str = "gsm8k",
        path: str | None = None,
        fewshot_path: str | None = None,
        num_fewshot: int | None = None,
        chat: bool = True,
    ) -> None:
        super().__init__(name, (0 if chat else 5) if num_fewshot is None else num_fewshot, chat)
        if path is not None and fewshot_path is not None and _same_file(path, fewshot_path):
            raise ValueError(
                f"task.fewshot_path={fewshot_path} is the file of task.path, so examples would reveal answers; pass "
                "the train split's file"
            )
        self.path = path
        self.fewshot_path = fewshot_path

    def documents(self, limit: int | None) -> list[Document]:
        return TEST.documents(document_from, self.path)[:limit]

    def fewshot(self, count: int) -> list[Document]:
        given = (self.fewshot_path, None, "task.fewshot_path", ", or task.num_fewshot=0")
        return first(TRAIN.documents(document_from, *given), count, ", or pass task.fewshot_path=FILE with more")

    def user_turn(self, document: Document) -> str:
        return f"Question: {document.question}\nAnswer:"


def _same_file(left: str, right: str) -> bool:
    return Path(left).expanduser().resolve() == Path(right).expanduser().resolve()
