"""HumanEval: functions to complete (openai/human-eval), from a local file or the Hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ssd.sandbox.reference import names_under_test
from ssd.tasks.code_task import CodeDocument, CodeTask
from ssd.tasks.extraction.code import humaneval_program
from ssd.tasks.jsonl import require_text
from ssd.tasks.rows import Split
from ssd.tasks.task import Document

TEST = Split("HumanEval", "openai/openai_humaneval", None, "test")


class HumanEval(CodeTask):
    """HumanEval's 164 functions, zero-shot, with the prompts of lm-eval's humaneval or humaneval_instruct (chat)."""

    version: ClassVar[int] = 3

    def __init__(
        self,
        name: str = "humaneval",
        path: str | None = None,
        num_fewshot: int = 0,
        chat: bool = True,
        workers: int = 2,
        time_limit_s: float = 10,
        allow_unsafe_code: bool = False,
    ) -> None:
        super().__init__(name, num_fewshot, chat, workers, time_limit_s, allow_unsafe_code)
        if num_fewshot:
            raise ValueError(f"task.num_fewshot is {num_fewshot}; HumanEval has no examples; pass task.num_fewshot=0")
        self.path = path

    def documents(self, limit: int | None) -> list[CodeDocument]:
        return TEST.documents(document_from, self.path, limit)

    def fewshot(self, count: int) -> list[CodeDocument]:
        return []

    def user_turn(self, document: Document) -> str:
        # lm-eval 0.4.13, humaneval_instruct, doc_to_text
        return (
            "Write a solution to the following problem and make sure that it passes the tests:\n"
            f"```python\n{document.question}\n```\n"
        )

    def response_prefix(self, document: Document) -> str:
        # lm-eval 0.4.13, humaneval_instruct, gen_prefix
        return f"Here is the completed function:\n```python\n{document.question}\n"

    def raw_prompt(self, document: Document, examples: Sequence[Document]) -> str:
        # lm-eval 0.4.13, humaneval, doc_to_text
        return document.question

    def extract(self, text: str, document: CodeDocument) -> str | None:
        # A chat prompt also begins the function, so the response continues it.
        return humaneval_program(text, document.question, document.names[0], chat=False)


def document_from(record: Mapping[str, Any], index: int, place: str) -> CodeDocument:
    """Return the document of a row in HumanEval's format; errors name `place`, its file and line."""
    prompt = require_text(record, "prompt", place)
    entry_point = require_text(record, "entry_point", place)
    tests = f"{require_text(record, 'test', place)}\ncheck({entry_point})"
    solution = require_text(record, "canonical_solution", place)
    try:
        names = names_under_test(prompt + solution, entry_point)
    except (SyntaxError, ValueError) as error:
        raise ValueError(
            f"{place}: 'prompt' with 'canonical_solution', or 'entry_point', is no Python ({error}); correct it"
        ) from error
    # Some prompts define helper functions that the tests use.
    document = CodeDocument(index, prompt, tests, solution, names, trusted=prompt)
    document.check(place)
    return document
