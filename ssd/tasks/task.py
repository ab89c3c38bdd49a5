"""What a task is: documents, the prompts made of them, and the verdict on a response."""

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
    """A whole correct response: the assistant's turn when the document is a few-shot example."""


class Task(ABC):
    """A benchmark: where its documents come from, how they are asked and how responses are scored."""

    version: ClassVar[int]
    """Raised whenever a prompt or a verdict changes: scores of different versions must not be compared."""

    def __init__(self, name: str, num_fewshot: int, chat: bool) -> None:
        if not isinstance(chat, bool):
            raise ValueError(f"task.chat is {chat!r}; expected true or false; pass task.chat=true or task.chat=false")
        self.name = name
        self.num_fewshot = require_count("task.num_fewshot", num_fewshot, least=0)
        self.chat = chat

    @abstractmethod
    def documents(self, limit: int | None) -> list[Document]:
        """Return the first `limit` documents of the test split; None means all of them."""

    @abstractmethod
    def fewshot(self, count: int) -> list[Document]:
        """Return the first `count` documents of the train split."""

    @abstractmethod
    def user_turn(self, document: Document) -> str:
        """Return the words in which the user asks for the document."""

    @abstractmethod
    def raw_prompt(self, document: Document, examples: Sequence[Document]) -> str:
        """Return the text that a base model continues."""

    @abstractmethod
    def answer(self, text: str, document: Document) -> str | None:
        """Return the answer that a response to the document gives, or None where it gives none."""

    @abstractmethod
    def is_correct(self, text: str, document: Document) -> bool:
        """Say whether a response answers the document."""

    def turns(self, document: Document, examples: Sequence[Document]) -> list[dict[str, str]]:
        """Return the chat's messages, one user turn and one assistant turn per example as in lm-eval >= 0.4.9."""
        messages: list[dict[str, str]] = []
        for example in examples:
            messages.append({"role": "user", "content": self.user_turn(example)})
            messages.append({"role": "assistant", "content": example.solution})
        messages.append({"role": "user", "content": self.user_turn(document)})
        return messages


def require_count(key: str, value: int, least: int) -> int:
    """Return `value` if it is an integer of at least `least`; `key` is the option that the error names."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{key} is {value!r}; expected an integer of at least {least}; pass {key}={least} or more")
    return value


def require_limit(limit: int | None) -> int | None:
    """Return `limit` if it can cut a list of documents."""
    return limit if limit is None else require_count("runtime.limit", limit, least=1)
