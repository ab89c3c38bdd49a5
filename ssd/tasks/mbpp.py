"""MBPP: short Python tasks (google-research/mbpp), from a local file or the Hub."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from ssd.sandbox.reference import imports_under_test, names_under_test
from ssd.tasks.code_task import CodeDocument, CodeTask
from ssd.tasks.extraction.code import mbpp_program
from ssd.tasks.jsonl import require_text, require_texts
from ssd.tasks.rows import Row, Split
from ssd.tasks.task import Document, first

TEST = Split("MBPP's test split", "google-research-datasets/mbpp", "full", "test")
PROMPT = Split("MBPP's prompt split", "google-research-datasets/mbpp", "full", "prompt")
TEST_IDS = range(11, 511)
EXAMPLE_IDS = (2, 3, 4)
"""The examples of the paper (arXiv 2108.07732) and of lm-eval."""
LONGEST_ID = 493
"""A task whose tests have 3,700 tokens: four times the next longest, and more than Dream's context."""


class MBPP(CodeTask):
    """MBPP's tasks 11 to 510, with the prompts of lm-eval's mbpp or mbpp_instruct (chat).

    A local file contains all splits: upstream's mbpp.jsonl, or sanitized-mbpp.json with fewer tasks. `skip` lists the
    ids of tasks to leave out.
    """

    version: ClassVar[int] = 3

    def __init__(
        self,
        name: str = "mbpp",
        path: str | None = None,
        num_fewshot: int | None = None,
        chat: bool = True,
        skip: Collection[int] = (LONGEST_ID,),
        workers: int = 2,
        time_limit_s: float = 10,
        allow_unsafe_code: bool = False,
    ) -> None:
        shots = (0 if chat else 3) if num_fewshot is None else num_fewshot
        super().__init__(name, shots, chat, workers, time_limit_s, allow_unsafe_code)
        self.path = path
        if not isinstance(skip, Collection) or any(number not in TEST_IDS for number in skip):
            raise ValueError(
                f"task.skip is {skip!r}; expected a list of task ids from {TEST_IDS.start} to {TEST_IDS.stop - 1}; "
                f"pass task.skip=[{LONGEST_ID}], or task.skip=[] for none"
            )
        self.skip = frozenset(skip)

    def documents(self, limit: int | None) -> list[CodeDocument]:
        rows = [row for row in TEST.rows(self.path, "task.path") if _task_id(row) in TEST_IDS]
        if not rows:
            raise ValueError(
                f"task.path={self.path} has no task of MBPP's test split; expected task ids from {TEST_IDS.start} to "
                f"{TEST_IDS.stop - 1}; pass upstream's mbpp.jsonl, or task.path=null for the Hub's"
            )
        asked = [(index, row) for index, row in enumerate(rows) if _task_id(row) not in self.skip]
        return [document_from(record, index, place) for index, (place, record) in asked[:limit]]

    def fewshot(self, count: int) -> list[CodeDocument]:
        asked = first(EXAMPLE_IDS, count)
        found = {_task_id(row): row for row in PROMPT.rows(self.path, "task.path", ", or task.num_fewshot=0")}
        missing = [number for number in asked if number not in found]
        if missing:
            raise ValueError(
                f"task.path={self.path} has no task {missing[0]}, which task.num_fewshot={count} asks for; pass a file "
                "with the prompt split, task.path=null for the Hub's, or task.num_fewshot=0"
            )
        rows = [found[number] for number in asked]
        return [document_from(record, index, place) for index, (place, record) in enumerate(rows)]

    def user_turn(self, document: Document) -> str:
        # lm-eval 0.4.13, mbpp_instruct, doc_to_text
        return (
            f"You are an expert Python programmer, and here is your task:\n{document.question}\n"
            f"Your code should pass these tests:\n{document.target}"
        )

    def response_prefix(self, document: Document) -> str:
        return "\n```python\n"  # lm-eval 0.4.13, mbpp_instruct, gen_prefix

    def assistant_turn(self, document: Document) -> str:
        return f"{self.response_prefix(document)}{document.solution}\n```"

    def raw_prompt(self, document: Document, examples: Sequence[Document]) -> str:
        shots = [f"{_asked(example)}{example.solution}\n[DONE]\n\n" for example in examples]
        return "".join(shots) + _asked(document)

    def extract(self, text: str, document: CodeDocument) -> str | None:
        return mbpp_program(text, [document.target], self.chat)


def document_from(record: Mapping[str, Any], index: int, place: str) -> CodeDocument:
    """Return the document of a row of MBPP or sanitized MBPP; errors name `place`, its file and line."""
    code = require_text(record, "code", place)
    tests = "\n".join(require_texts(record, "test_list", place))
    reference, setup = (_with_newlines(source) for source in (code, _setup(record, place)))
    used = f"{setup}\n{tests}"
    try:
        names, imports = names_under_test(reference, used), imports_under_test(reference, used)
    except (SyntaxError, ValueError) as error:
        raise ValueError(
            f"{place}: field 'code', 'test_list' or its set-up is no Python ({error}); correct it"
        ) from error
    document = CodeDocument(
        index=index,
        question=require_text(record, "text" if "text" in record else "prompt", place),
        target=tests,
        solution=code,
        names=names,
        setup=f"{imports}\n{setup}",
    )
    document.check(place)
    return document


def _setup(record: Mapping[str, Any], place: str) -> str:
    """Return the statements that run before the tests: a text, or a list with one text per line; null means none."""
    for field in ("test_setup_code", "test_imports"):
        value = record.get(field) or []
        lines = [value] if isinstance(value, str) else value
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise ValueError(
                f"{place}: field {field!r} is {value!r}; expected a string, a list of strings or null; correct the line"
            )
        if lines:
            return "\n".join(lines)
    return ""


def _asked(document: Document) -> str:
    # lm-eval 0.4.13, mbpp, doc_to_text
    return (
        f"You are an expert Python programmer, and here is your task: {document.question} "
        f"Your code should pass these tests:\n\n{document.target}\n[BEGIN]\n"
    )


def _task_id(row: Row) -> int:
    place, record = row
    number = record.get("task_id")
    if not isinstance(number, int):
        raise ValueError(f"{place}: field 'task_id' is {number!r}; expected MBPP's number of the task; correct it")
    return number


def _with_newlines(text: str) -> str:
    """Return the text with newlines as line ends. Most of MBPP's solutions have Windows', which prompts keep."""
    return text.replace("\r\n", "\n")
