"""GSM8K: grade-school word problems (openai/grade-school-math), from a local file or the Hub."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ssd.tasks.jsonl import read_records
from ssd.tasks.task import Document, require_count, require_limit
from ssd.tasks.word_problems import WordProblems, document_from

HUB_NAME = "openai/gsm8k"
HUB_CONFIG = "main"


class GSM8K(WordProblems):
    """GSM8K's test split, asked in lm-eval's words.

    Examples are the first `num_fewshot` of the train split, the same for every document; lm-eval draws its own anew for
    each.
    """

    def __init__(
        self,
        name: str = "gsm8k",
        path: str | None = None,
        fewshot_path: str | None = None,
        num_fewshot: int = 0,
        chat: bool = True,
    ) -> None:
        super().__init__(name, num_fewshot, chat)
        if path is not None and fewshot_path is not None and _same_file(path, fewshot_path):
            raise ValueError(
                f"task.fewshot_path={fewshot_path} is the file of task.path, so the examples would give answers away; "
                "pass the train split's file"
            )
        self.path = path
        self.fewshot_path = fewshot_path

    def documents(self, limit: int | None) -> list[Document]:
        limit = require_limit(limit)
        if self.path is None:
            remedy = "pass task.path=FILE with the test split as .jsonl or .jsonl.gz"
            return _documents(_hub_rows("test", remedy))[:limit]
        return _documents(read_records(self.path, "task.path"))[:limit]

    def fewshot(self, count: int) -> list[Document]:
        if require_count("task.num_fewshot", count, least=0) == 0:
            return []
        if self.fewshot_path is None:
            remedy = "pass task.fewshot_path=FILE with the train split as .jsonl or .jsonl.gz, or task.num_fewshot=0"
            examples = _documents(_hub_rows("train", remedy))
        else:
            examples = _documents(read_records(self.fewshot_path, "task.fewshot_path"))
        if count > len(examples):
            raise ValueError(
                f"task.num_fewshot is {count}; the train split has {len(examples)} documents; ask for fewer or pass "
                "task.fewshot_path=FILE with more"
            )
        return examples[:count]

    def user_turn(self, document: Document) -> str:
        return f"Question: {document.question}\nAnswer:"


def _documents(rows: Iterable[tuple[str, dict[str, Any]]]) -> list[Document]:
    return [document_from(record, index, place) for index, (place, record) in enumerate(rows)]


def _hub_rows(split: str, remedy: str) -> list[tuple[str, dict[str, Any]]]:
    try:
        from datasets import load_dataset
        from datasets.exceptions import DatasetsError
    except ImportError as error:
        raise ImportError(f"datasets is not installed, and GSM8K's {split} split comes through it; {remedy}") from error
    try:
        rows = load_dataset(HUB_NAME, HUB_CONFIG, split=split)
    except (OSError, DatasetsError) as error:
        cause = " ".join(str(error).split())
        raise ConnectionError(f"GSM8K's {split} split cannot be had from the Hub ({cause}); {remedy}") from error
    return [(f"{HUB_NAME} {split} row {number}", dict(row)) for number, row in enumerate(rows)]


def _same_file(left: str, right: str) -> bool:
    return Path(left).expanduser().resolve() == Path(right).expanduser().resolve()
