"""Prompts and scoring of word problems whose answer is one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ssd.tasks.extraction.numbers import extract_number, same_number, target_number
from ssd.tasks.jsonl import require_text
from ssd.tasks.task import Document, Task, Verdict


class WordProblems(Task[Document]):
    """A task whose `target` is a number. Plain prompts are lm-eval's gsm8k prompts."""

    def raw_prompt(self, document: Document, examples: Sequence[Document]) -> str:
        shots = [f"Question: {example.question}\nAnswer: {example.solution}\n\n" for example in examples]
        return "".join(shots) + f"Question: {document.question}\nAnswer:"

    def verdict(self, text: str, document: Document) -> Verdict:
        # A base model continues with new questions; lm-eval stops the generation there.
        own = text if self.chat else text.partition("\nQuestion:")[0]
        # A repeated question is no answer, even if its last number is correct.
        found = extract_number(own.replace(document.question, ""))
        if found is None:
            return Verdict(None, False, strict=False)
        correct = same_number(found.number, document.target)
        return Verdict(found.number, correct, found.rule, strict=correct and found.rule == "strict")


def document_from(record: Mapping[str, Any], index: int, place: str) -> Document:
    """Return the document of a row in GSM8K's format; errors name `place`, its file and line."""
    question = require_text(record, "question", place)
    answer = require_text(record, "answer", place)
    target = target_number(answer)
    if target is None:
        raise ValueError(
            f"{place}: field 'answer' ends {answer[-20:]!r}; expected a last line '#### N' with one number, such as "
            "18, -0.75 or 1,234; correct it"
        )
    return Document(index=index, question=question, target=target, solution=answer)
