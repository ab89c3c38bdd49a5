"""A synthetic language for models of 2 M parameters, in the formats of GSM8K, HumanEval and MBPP.

The tiny checkpoints are trained on its train split and benchmarked on its test split. A seeded generator draws the
documents. The split depends on a hash of the question, never on the seed. So no seed trains on a test question.
"""

import hashlib
import random
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

from ssd.tasks.task import DocumentType, Task, require_count
from ssd.tasks.tiny_functions import function_problem
from ssd.tasks.tiny_words import WordProblem, factors, word_problem

Split = Literal["train", "test"]
Document = dict[str, str | list[str]]

TASKS: dict[str, str] = {"tiny_math": "gsm8k", "tiny_humaneval": "humaneval", "tiny_mbpp": "mbpp"}
"""Tasks of the language, and those whose formats they have."""

_TEST_SHARE = 6
"""One of this number of documents belongs to the test split."""

_DRAWS_PER_DOCUMENT = 2000
"""Maximum number of draws in search of one more distinct document."""


def documents(task: str, split: Split, count: int, seed: int) -> list[Document]:
    """Return `count` documents of a task's split.

    The same seed gives the same documents, and a smaller count gives a prefix of a larger one. Test documents are
    distinct. Training documents may repeat, because the language has few code problems. Raise ValueError for an unknown
    task or split, a negative count, or a count above the number of distinct documents.
    """
    if task not in TASKS:
        raise ValueError(f"no task {task!r} in the tiny language; it has {', '.join(TASKS)}")
    if split not in ("train", "test"):
        raise ValueError(f"no split {split!r} in the tiny language; it has train and test")
    if count < 0:
        raise ValueError(f"count must not be negative, got {count}")
    generator = random.Random(f"{task}/{split}/{seed}")
    found: list[Document] = []
    seen: set[str] = set()
    draws_left = _DRAWS_PER_DOCUMENT
    while len(found) < count:
        if draws_left == 0:
            raise ValueError(f"{task} has no {count} distinct {split} documents; {len(found)} were found")
        draws_left -= 1
        problem = word_problem(generator) if task == "tiny_math" else function_problem(generator)
        if _split_of(problem.content) != split or problem.content in seen:
            continue
        if split == "test":
            seen.add(problem.content)
        draws_left = _DRAWS_PER_DOCUMENT
        if isinstance(problem, WordProblem):
            found.append({**problem.document(len(found))})
        elif task == "tiny_humaneval":
            found.append({**problem.humaneval(len(found))})
        else:
            found.append(problem.mbpp(len(found)))
    return found


def user_message(task: str, document: Document) -> str:
    """Return the user's turn of a document: its question field, unchanged."""
    return str(document[{"tiny_math": "question", "tiny_humaneval": "prompt", "tiny_mbpp": "text"}[task]])


def response(task: str, document: Document) -> str:
    """Return the assistant's turn of a document, as in training."""
    if task == "tiny_math":
        return str(document["answer"])
    if task == "tiny_mbpp":
        return f"```python\n{document['code']}\n```"
    signature = str(document["prompt"]).partition("\n")[0]
    return f"```python\n{signature}\n{document['canonical_solution']}```"


def drills(count: int, seed: int) -> list[str]:
    """Return arithmetic facts such as `17 + 5 = 22`, the single steps of word problems."""
    generator = random.Random(f"drills/{seed}")
    return [_drill(generator) for _ in range(count)]


def _split_of(content: str) -> Split:
    digest = hashlib.sha256(content.encode()).digest()
    return "test" if int.from_bytes(digest[:4], "big") % _TEST_SHARE == 0 else "train"


def _drill(generator: random.Random) -> str:
    kind = generator.choice(("plus", "plus", "minus", "minus", "times"))
    if kind == "times":
        left, right = factors(generator)
        return f"{left} * {right} = {left * right}"
    right = generator.randint(2, 9)
    if kind == "plus":
        left = generator.randint(2, 60)
        return f"{left} + {right} = {left + right}"
    left = generator.randint(right + 1, 64)
    return f"{left} - {right} = {left - right}"


class TinyTask(Task[DocumentType]):
    """A task of the language. The test split has `size` documents, drawn with `seed`.

    As in training, the user's turn is the question alone, and the response is `response`.
    """

    language: ClassVar[str]
    """The task's name in the language."""
    seed: int
    size: int

    def draw_from(self, path: str | None, seed: int, documents: int) -> None:
        """Choose the documents; raise ValueError for a wrong option."""
        if path is not None:
            raise ValueError(
                f"task.path={path}; expected null, because {self.language} is generated; pass "
                f"task={TASKS[self.language]} for a file"
            )
        self.seed = require_count("task.seed", seed, least=0)
        self.size = require_count("task.documents", documents, least=1)

    @staticmethod
    @abstractmethod
    def document_from(record: Mapping[str, Any], index: int, place: str) -> DocumentType:
        """Return the document of a row in the format of the real task."""

    def documents(self, limit: int | None) -> list[DocumentType]:
        return self._drawn("test", self.size if limit is None else min(limit, self.size))

    def fewshot(self, count: int) -> list[DocumentType]:
        return self._drawn("train", count)

    def user_turn(self, document: DocumentType) -> str:
        return document.question

    def _drawn(self, split: Split, count: int) -> list[DocumentType]:
        drawn: list[DocumentType] = []
        for index, record in enumerate(documents(self.language, split, count, self.seed)):
            document = self.document_from(record, index, f"{self.language} {split} {index}")
            drawn.append(replace(document, solution=response(self.language, record)))
        return drawn
