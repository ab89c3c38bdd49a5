"""question_answer: questions and answers from a file of the user's own."""

from __future__ import annotations

from typing import Any, ClassVar

from ssd.tasks.extraction.numbers import extract_number
from ssd.tasks.extraction.responses import own_text
from ssd.tasks.jsonl import read_records, require_text
from ssd.tasks.task import Document, Verdict, require_count, require_limit
from ssd.tasks.word_problems import WordProblems


class QuestionAnswer(WordProblems):
    """The rows of a .jsonl file, with the fields `question` and `answer`.

    `scoring=number` compares the number of a response with the number of the answer, by the rules of
    `extraction/numbers.py`. `scoring=exact` compares texts, without outer spaces, a final full stop and case.
    """

    version: ClassVar[int] = 1

    def __init__(
        self,
        name: str = "question_answer",
        path: str | None = None,
        fewshot_path: str | None = None,
        question: str = "question",
        answer: str = "answer",
        scoring: str = "number",
        num_fewshot: int = 0,
        chat: bool = True,
    ) -> None:
        super().__init__(name, num_fewshot, chat)
        if path is None:
            raise ValueError("task.path is null; question_answer reads a local file; pass task.path=FILE.jsonl")
        if scoring not in ("number", "exact"):
            raise ValueError(f"task.scoring is {scoring!r}; expected number or exact; pass task.scoring=exact")
        self.path, self.fewshot_path = path, fewshot_path
        self.question, self.answer, self.scoring = question, answer, scoring

    def documents(self, limit: int | None) -> list[Document]:
        return self._read(self.path, "task.path")[: require_limit(limit)]

    def fewshot(self, count: int) -> list[Document]:
        if require_count("task.num_fewshot", count, least=0) == 0:
            return []
        examples = self._read(self.fewshot_path, "task.fewshot_path") if self.fewshot_path else []
        if count > len(examples):
            raise ValueError(
                f"task.num_fewshot is {count}; there are {len(examples)} examples; pass task.fewshot_path=FILE.jsonl "
                "with more, or task.num_fewshot=0"
            )
        return examples[:count]

    def user_turn(self, document: Document) -> str:
        return document.question

    def verdict(self, text: str, document: Document) -> Verdict:
        if self.scoring == "number":
            return super().verdict(text, document)
        answer = _normalised(text if self.chat else text.partition("\nQuestion:")[0])
        return Verdict(answer or None, answer == document.target)

    def _read(self, path: str, key: str) -> list[Document]:
        records = enumerate(read_records(path, key))
        return [self._document(record, index, place) for index, (place, record) in records]

    def _document(self, record: dict[str, Any], index: int, place: str) -> Document:
        given = record.get(self.answer)
        if isinstance(given, int | float) and not isinstance(given, bool):
            record = {**record, self.answer: str(given)}
        question, solution = (require_text(record, field, place) for field in (self.question, self.answer))
        if self.scoring == "exact":
            return Document(index, question, _normalised(solution), solution)
        found = extract_number(solution)
        if found is None:
            raise ValueError(
                f"{place}: field {self.answer!r} is {solution!r}; expected a number; correct it, or pass "
                "task.scoring=exact"
            )
        return Document(index, question, found.number, solution)


def _normalised(text: str) -> str:
    return " ".join(own_text(text).split()).removesuffix(".").casefold()
