"""Interface of tasks: documents, prompts and verdicts on responses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar


@dataclass(frozen=True)
class Document:
    """One question of a task. `index` is its row in the split, from 0."""

    index: int
    question: str
    target: str
    """The reference that a response is scored against."""
    solution: str
    """The full reference answer, as few-shot examples show it."""


@dataclass(frozen=True)
class Verdict:
    """The answer that a response gives, and whether it is correct."""

    answer: str | None
    """The extracted answer, or None without one."""
    correct: bool
    reason: str | None = None
    """The ground of the verdict: the outcome of a program's tests, or the rule that found a number."""
    strict: bool | None = None
    """Whether the answer is correct under the task's strict rule; None if the task has no such rule."""


DocumentType = TypeVar("DocumentType", bound=Document)
Example = TypeVar("Example")


class Task(ABC, Generic[DocumentType]):
    """A data set with its prompts and its scoring.

    A subclass defines `version` and the five abstract methods; `num_fewshot` and `chat` choose the prompt's form.
    """

    version: ClassVar[int]
    """Increased with every change of prompts, extraction or verdicts. Scores of different versions are not compared."""
    add_bos: bool = False
    """Whether every prompt begins with the tokenizer's BOS token. The option `task.add_bos` of every task sets it."""

    def __init__(self, name: str, num_fewshot: int, chat: bool) -> None:
        require_flag("task.chat", chat)
        self.name = name
        self.num_fewshot = require_count("task.num_fewshot", num_fewshot, least=0)
        self.chat = chat

    @abstractmethod
    def documents(self, limit: int | None) -> list[DocumentType]:
        """Return the first `limit` documents of the test split; None means all of them."""

    @abstractmethod
    def fewshot(self, count: int) -> list[DocumentType]:
        """Return the first `count` few-shot examples. None of them is a test document."""

    @abstractmethod
    def user_turn(self, document: DocumentType) -> str:
        """Return the user's chat message that asks the document's question."""

    @abstractmethod
    def raw_prompt(self, document: DocumentType, examples: Sequence[DocumentType]) -> str:
        """Return the plain prompt, which a base model continues."""

    @abstractmethod
    def verdict(self, text: str, document: DocumentType) -> Verdict:
        """Return the verdict on one response."""

    def judge(self, responses: Sequence[tuple[str, DocumentType]]) -> list[Verdict]:
        """Return the verdicts on several responses, each given with its document."""
        return [self.verdict(text, document) for text, document in responses]

    def protection(self) -> str | None:
        """Start the sandbox and return one line that describes it; return None if the task runs no programs."""
        return None

    def rehearse(self, document: DocumentType) -> None:
        """Judge the document's own solution before weights are loaded; raise ValueError if the verdict is wrong."""

    def close(self) -> None:
        """End the processes that `protection` and `judge` have started."""

    def assistant_turn(self, document: DocumentType) -> str:
        """Return the assistant's message for a few-shot example."""
        return document.solution

    def response_prefix(self, document: DocumentType) -> str:
        """Return the beginning of the assistant's message that a chat prompt already contains."""
        return ""

    def turns(self, document: DocumentType, examples: Sequence[DocumentType]) -> list[dict[str, str]]:
        """Return the chat messages. Each example is a user and an assistant message, as in lm-eval >= 0.4.9."""
        messages: list[dict[str, str]] = []
        for example in examples:
            messages.append({"role": "user", "content": self.user_turn(example)})
            messages.append({"role": "assistant", "content": self.assistant_turn(example)})
        messages.append({"role": "user", "content": self.user_turn(document)})
        return messages


def require_count(key: str, value: int, least: int) -> int:
    """Return `value`; raise ValueError, which names the option `key`, unless it is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{key} is {value!r}; expected an integer of at least {least}; pass {key}={least} or more")
    return value


def require_flag(key: str, value: bool) -> bool:
    """Return `value`; raise ValueError unless it is a bool. (Hydra reads `no` as text, which counts as true.)"""
    if not isinstance(value, bool):
        raise ValueError(f"{key} is {value!r}; expected true or false; pass {key}=true or {key}=false")
    return value


def first(examples: Sequence[Example], count: int, remedy: str = "") -> list[Example]:
    """Return the first few-shot examples; raise ValueError, with a further remedy, if there are fewer."""
    if count > len(examples):
        raise ValueError(f"task.num_fewshot is {count}; there are {len(examples)} examples; ask for fewer{remedy}")
    return list(examples[:count])
