"""MATH-500: competition problems (openai/prm800k's split of MATH), from a local file or the Hub."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from ssd.tasks.extraction.mathematics import extract_answer, same_answer
from ssd.tasks.jsonl import require_text
from ssd.tasks.rows import Split
from ssd.tasks.task import Document, Task, Verdict, first

TEST = Split("MATH-500", "HuggingFaceH4/MATH-500", None, "test")


class Math500(Task[Document]):
    r"""MATH-500: plain in the words of lm-eval's minerva_math500, as a chat with `\boxed{}` asked for.

    Examples are the four of Minerva (arXiv 2206.14858), none of them a problem of MATH-500.
    """

    version: ClassVar[int] = 3

    def __init__(
        self, name: str = "math500", path: str | None = None, num_fewshot: int | None = None, chat: bool = True
    ) -> None:
        super().__init__(name, (0 if chat else 4) if num_fewshot is None else num_fewshot, chat)
        self.path = path

    def documents(self, limit: int | None) -> list[Document]:
        return TEST.documents(document_from, self.path, limit)

    def fewshot(self, count: int) -> list[Document]:
        # The field `solution` already ends with the answer, in Minerva's words.
        examples = [
            Document(index, example["problem"], target="", solution=example["solution"])
            for index, example in enumerate(examples_of_lm_eval())
        ]
        return first(examples, count)

    def user_turn(self, document: Document) -> str:
        # The instruction of Qwen2.5-Math's own evaluation (arXiv 2409.12122).
        return f"{document.question}\nPlease reason step by step, and put your final answer within \\boxed{{}}."

    def raw_prompt(self, document: Document, examples: Sequence[Document]) -> str:
        # lm-eval 0.4.13, minerva_math500, doc_to_text
        shots = [f"Problem:\n{example.question}\n\nSolution: {example.solution}\n\n" for example in examples]
        return "".join(shots) + f"Problem:\n{document.question}\n\nSolution:"

    def verdict(self, text: str, document: Document) -> Verdict:
        # A base model continues with new problems; lm-eval stops the generation there.
        own = text if self.chat else text.partition("Problem:")[0]
        # A repeated problem is no answer, even if one of its formulas is correct.
        answer = extract_answer(own.replace(document.question, ""))
        return Verdict(answer, answer is not None and same_answer(answer, document.target))


def document_from(record: Mapping[str, Any], index: int, place: str) -> Document:
    """Return the document of a row of MATH-500; errors name `place`, its file and line."""
    problem, target, solution = (require_text(record, field, place) for field in ("problem", "answer", "solution"))
    return Document(index, problem, target, solution)


def examples_of_lm_eval() -> list[dict[str, str]]:
    """Return Minerva's four examples, with the fields `problem` and `solution`.

    This parses the source of lm-eval's function. Importing that module fails, because it requires antlr 4.11 and Hydra
    requires antlr 4.9. Raise ValueError if lm-eval is missing or differs.
    """
    installed = find_spec("lm_eval")
    if installed is None or installed.origin is None:
        raise ValueError(
            'MATH-500: lm_eval is not installed; pip install "ssd-benchmark[tasks]", or pass task.num_fewshot=0'
        )
    file = Path(installed.origin).with_name("tasks") / "minerva_math" / "utils.py"
    try:
        functions = {node.name: node for node in ast.parse(file.read_bytes()).body if isinstance(node, ast.FunctionDef)}
        (statement,) = functions["list_fewshot_samples"].body
        if not isinstance(statement, ast.Return) or statement.value is None:
            raise ValueError("its function does not return them")
        examples: list[dict[str, str]] = ast.literal_eval(statement.value)
    except (OSError, SyntaxError, KeyError, ValueError) as error:
        raise ValueError(
            f"task.num_fewshot is above 0; {file} does not contain MATH's examples as in lm-eval 0.4.13 "
            f"({error}); pip install lm-eval==0.4.13, or pass task.num_fewshot=0"
        ) from error
    return examples
