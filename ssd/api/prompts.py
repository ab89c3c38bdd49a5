"""From a text, chat messages or ids to prompt ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from ssd.tasks.prompts import chat_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Prompt = str | Sequence[Mapping[str, str]] | Sequence[int]
"""A text, chat messages ({"role": ..., "content": ...}) or ids."""
EXPECTED = 'expected a text, a list of ids or messages [{"role": "user", "content": "..."}]'


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, chat: bool) -> list[int]:
    """Return the ids of a prompt. chat: whether a text becomes a user's message in the chat template.

    A last message of the role `assistant` is left open, and the response continues it. Raises ValueError.
    """
    if type(chat) is not bool:
        raise ValueError(f"chat={chat!r}: expected True, False or None")
    if isinstance(prompt, str):
        if not chat:
            return list(tokenizer.encode(prompt))
        prompt = [{"role": "user", "content": prompt}]
    elif isinstance(prompt, bytes) or not isinstance(prompt, Sequence):
        raise ValueError(f"prompt={prompt!r:.60}: {EXPECTED}")
    elif all(type(token) is int for token in prompt):
        return list(cast(Sequence[int], prompt))
    messages = cast(Sequence[Mapping[str, str]], prompt)
    if not all(isinstance(turn, Mapping) and _is_message(turn) for turn in messages):
        raise ValueError(f"prompt: {EXPECTED}")
    if not getattr(tokenizer, "chat_template", None):
        raise ValueError("the tokenizer has no chat template; pass the prompt as a text with chat=False, or as ids")
    return chat_ids(tokenizer, messages, is_open=messages[-1]["role"] == "assistant")


def _is_message(turn: Mapping[str, object]) -> bool:
    return all(isinstance(turn.get(key), str) for key in ("role", "content"))


def shown(prompt: Prompt) -> str:
    """Return a prompt's beginning as a text for tables."""
    if isinstance(prompt, str):
        text = prompt
    else:
        text = " ".join(part["content"] if isinstance(part, Mapping) else str(part) for part in prompt)
    text = " ".join(text.split())
    return text if len(text) <= 40 else f"{text[:37]}..."
