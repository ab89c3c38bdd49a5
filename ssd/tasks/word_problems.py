"""Tasks whose documents are word problems with one number as the answer: prompts and scoring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ssd.tasks.extraction.numbers import extract_number, same_number, strict_number
from ssd.tasks.jsonl import require_text
from ssd.tasks.task import Document, Task, Verdict


class WordProblems(Task):
    """Word problems in GSM8K's format: `question`, and an `answer` that ends with the line `#### N`."""

    def raw_prompt(self, document: Document, examples: Sequence[Document]) -> str:
        shots = [f"Question: {example.question}\nAnswer: {example.solution}\n\n" for example in examples]
        return "".join(shots) + f"Question: {document.question}\nAnswer:"

    def verdict(self, text: str, document: Document) -> Verdict:
        # A base model goes on with questions of its own making; lm-eval stops the generation there.
        own = text if self.chat else text.partition("\nQuestion:")[0]
        # Repeating the question is no answer, even where its last number happens to be the right one.
        found = extract_number(own.replace(document.question, ""))
        if found is None:
            return Verdict(None, False, strict=False)
        correct = same_number(found.number, document.target)
        return Verdict(found.number, correct, found.rule, strict=correct and found.rule == "strict")


def document_from(record: Mapping[str, Any], index: int, place: str) -> Document:
    """Return the document that a row in GSM8K's format holds; `place` tells an error where the row stands."""
    question = require_text(record, "question", place)
    answer = require_text(record, "answer", place)
    target = strict_number(answer)
    if target is None:
        raise ValueError(f"{place}: field 'answer' ends {answer[-20:]!r}; expected a last line '#### N'; correct it")
    return Document(index=index, question=question, target=target, solution=answer)
