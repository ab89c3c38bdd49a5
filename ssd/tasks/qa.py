"""qa: questions and answers from a file of the user's own."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from ssd.tasks.extraction.numbers import extract_number
from ssd.tasks.extraction.responses import own_text
from ssd.tasks.jsonl import read_records, require_text
from ssd.tasks.task import Document, Verdict, first
from ssd.tasks.word_problems import WordProblems

METRICS = ("number", "exact", "contains", "regex")
_NUMERAL = re.compile(r"\d+(?:[.,]\d+)*")


class QuestionAnswer(WordProblems):
    """The rows of a .jsonl file, with the fields `question` and `answer`. `metric` decides which response is correct.

    `number`: its number equals the number of the answer, by the rules of `extraction/numbers.py`.
    `exact`: its text equals the answer, without outer spaces, a final full stop and case.
    `contains`: it has the answer as whole words, without case.
    `regex`: it has a match of the answer, which is a regular expression of Python.
    """

    version: ClassVar[int] = 2

    def __init__(
        self,
        name: str = "qa",
        path: str | None = None,
        fewshot_path: str | None = None,
        question: str = "question",
        answer: str = "answer",
        metric: str = "number",
        num_fewshot: int = 0,
        chat: bool = True,
    ) -> None:
        super().__init__(name, num_fewshot, chat)
        if path is None:
            raise ValueError("task.path is null; task=qa reads your own file; pass task.path=FILE.jsonl")
        if metric not in METRICS:
            raise ValueError(f"task.metric is {metric!r}; expected one of {', '.join(METRICS)}; pass task.metric=exact")
        if metric == "regex" and num_fewshot:
            raise ValueError(
                f"task.num_fewshot is {num_fewshot}; expected 0, because an answer for task.metric=regex is a pattern "
                "and no example; pass task.num_fewshot=0"
            )
        self.path, self.fewshot_path = path, fewshot_path
        self.question, self.answer, self.metric = question, answer, metric

    def documents(self, limit: int | None) -> list[Document]:
        return self._read(self.path, "task.path")[:limit]

    def fewshot(self, count: int) -> list[Document]:
        examples = self._read(self.fewshot_path, "task.fewshot_path") if self.fewshot_path else []
        return first(examples, count, ", or pass task.fewshot_path=FILE.jsonl with more")

    def user_turn(self, document: Document) -> str:
        return document.question

    def verdict(self, text: str, document: Document) -> Verdict:
        if self.metric == "number":
            return super().verdict(text, document)
        own = own_text(text if self.chat else text.partition("\nQuestion:")[0])
        if self.metric == "exact":
            return Verdict(_normalised(own) or None, _normalised(own) == document.target)
        # A repeated question is no answer, even if it contains the answer.
        own = own.replace(document.question, "")
        if self.metric == "contains":
            found = re.search(rf"(?<!\w){re.escape(document.target)}(?!\w)", _normalised(own))
        else:
            found = re.search(document.target, own)
        return Verdict(found and found[0], found is not None)

    def _read(self, path: str, key: str) -> list[Document]:
        if not Path(path).expanduser().exists():
            raise FileNotFoundError(f"{key}={path} does not exist; pass an existing file as {key}=FILE.jsonl")
        records = enumerate(read_records(path, key))
        return [self._document(record, index, place) for index, (place, record) in records]

    def _document(self, record: dict[str, Any], index: int, place: str) -> Document:
        given = record.get(self.answer)
        if isinstance(given, int | float) and not isinstance(given, bool):
            record = {**record, self.answer: f"{Decimal(str(given)):f}"}
        question, solution = (require_text(record, field, place) for field in (self.question, self.answer))
        target, expected = self._target(solution)
        if not target:
            raise ValueError(
                f"{place}: field {self.answer!r} is {solution!r}; task.metric={self.metric} expects {expected}; "
                "correct the line, or pass another task.metric"
            )
        return Document(index, question, target, solution)

    def _target(self, answer: str) -> tuple[str | None, str]:
        """Return what a response is compared with, or None, and a description of what is expected."""
        if self.metric == "number":
            # Of several numerals, as in 3/4, 10:30 or 1e5, only one would be compared.
            last = answer.rpartition("####")[2]
            found = extract_number(last) if len(_NUMERAL.findall(last)) == 1 else None
            return found and found.number, "one number, in digits"
        if self.metric == "regex":
            try:
                matches_all = re.search(answer, "") is not None
            except re.error as error:
                return None, f"a regular expression ({error})"
            return (None if matches_all else answer), "a regular expression that does not match every text"
        return _normalised(own_text(answer)), "text"


def _normalised(text: str) -> str:
    return " ".join(text.split()).removesuffix(".").casefold()
