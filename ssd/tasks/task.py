"""What a task is: documents, the prompts made of them, and the verdicts on responses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Document:
    """One question of a task; `index` is its row in the split, counted from 0."""

    index: int
    question: str
    target: str
    """What the response is compared with."""
    solution: str
    """What solves it; few-shot examples show it."""


@dataclass(frozen=True)
class Verdict:
    """What a response is found to say, and whether that is right."""

    answer: str | None
    """The answer that the response gives, or None where it gives none."""
    correct: bool
    reason: str | None = None
    """What decided: how a program came through its tests, or the rule that found a number."""
    strict: bool | None = None
    """Whether it is right under the task's strict rule, too; None where the task has none."""


class Task(ABC):
    """A benchmark: where its documents come from, how they are asked and how responses are scored."""

    version: ClassVar[int]
    """Raised whenever a prompt, an extraction or a verdict changes: scores of different versions do not compare."""

    def __init__(self, name: str, num_fewshot: int, chat: bool) -> None:
        require_flag("task.chat", chat)
        self.name = name
        self.num_fewshot = require_count("task.num_fewshot", num_fewshot, least=0)
        self.chat = chat

    @abstractmethod
    def documents(self, limit: int | None) -> list[Document]:
        """Return the first `limit` documents of the test split; None means all of them."""

    @abstractmethod
    def fewshot(self, count: int) -> list[Document]:
        """Return the first `count` examples, none of which is a test document."""

    @abstractmethod
    def user_turn(self, document: Document) -> str:
        """Return the words in which the user asks for the document."""

    @abstractmethod
    def raw_prompt(self, document: Document, examples: Sequence[Document]) -> str:
        """Return the text that a base model continues."""

    @abstractmethod
    def verdict(self, text: str, document: Document) -> Verdict:
        """Judge one response."""

    def judge(self, responses: Sequence[tuple[str, Document]]) -> list[Verdict]:
        """Judge responses, each with the document that it answers."""
        return [self.verdict(text, document) for text, document in responses]

    def protection(self) -> str | None:
        """Start what judging runs code in, and say in one line what protects this machine; None without code."""
        return None

    def rehearse(self, document: Document) -> None:  # noqa: B027  (most tasks have nothing to go wrong)
        """Judge the document's own solution before any weights are loaded; ValueError if it is found wrong."""

    def close(self) -> None:  # noqa: B027  (most tasks have nothing to end)
        """End what `protection` and `judge` have started."""

    def assistant_turn(self, document: Document) -> str:
        """Return the turn that answers the document where it is an example."""
        return document.solution

    def response_prefix(self, document: Document) -> str:
        """Return the beginning of the assistant's turn that the prompt of a chat already holds."""
        return ""

    def turns(self, document: Document, examples: Sequence[Document]) -> list[dict[str, str]]:
        """Return the chat's messages, one user turn and one assistant turn per example as in lm-eval >= 0.4.9."""
        messages: list[dict[str, str]] = []
        for example in examples:
            messages.append({"role": "user", "content": self.user_turn(example)})
            messages.append({"role": "assistant", "content": self.assistant_turn(example)})
        messages.append({"role": "user", "content": self.user_turn(document)})
        return messages


def require_count(key: str, value: int, least: int) -> int:
    """Return `value` if it is an integer of at least `least`; `key` is the option that the error names."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{key} is {value!r}; expected an integer of at least {least}; pass {key}={least} or more")
    return value


def require_flag(key: str, value: bool) -> bool:
    """Return `value` if it is a truth value; `no` is a word to Hydra, and true if asked."""
    if not isinstance(value, bool):
        raise ValueError(f"{key} is {value!r}; expected true or false; pass {key}=true or {key}=false")
    return value


def require_limit(limit: int | None) -> int | None:
    """Return `limit` if it can cut a list of documents."""
    return limit if limit is None else require_count("runtime.limit", limit, least=1)
