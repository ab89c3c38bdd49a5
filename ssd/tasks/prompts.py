"""Convert documents to prompt ids, and response ids to text."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ssd.tasks.task import Document, Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def render(
    tokenizer: PreTrainedTokenizerBase, task: Task, document: Document, examples: Sequence[Document], chat: bool
) -> list[int]:
    """Return the prompt ids of the document: a chat for instruct models, plain text for base models.

    Raise ValueError if the tokenizer lacks the chat template or the BOS token that the task needs.
    """
    ids = _rendered(tokenizer, task, document, examples, chat)
    return with_bos(tokenizer, ids) if task.add_bos else ids


def with_bos(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[int]:
    """Return the ids with one BOS token at their beginning; raise ValueError if the tokenizer has none."""
    if tokenizer.bos_token_id is None:
        raise ValueError(
            f"task.add_bos=true: tokenizer {tokenizer.name_or_path!r} has no BOS token; pass task.add_bos=false"
        )
    return ids if ids[:1] == [tokenizer.bos_token_id] else [tokenizer.bos_token_id, *ids]


def _rendered(
    tokenizer: PreTrainedTokenizerBase, task: Task, document: Document, examples: Sequence[Document], chat: bool
) -> list[int]:
    """Return the ids of the document's chat or plain text, with the special tokens that belong to it anyway."""
    if not chat:
        return list(tokenizer.encode(task.raw_prompt(document, examples)))
    if not getattr(tokenizer, "chat_template", None):
        raise ValueError(
            f"tokenizer {tokenizer.name_or_path!r} has no chat template; task.chat=true expects one; pass an instruct "
            "model, or task.chat=false"
        )
    turns, prefix = task.turns(document, examples), task.response_prefix(document)
    if prefix:
        # As in lm-eval, the last turn stays open, and the template renders the prefix like a whole turn. LLaDA's strips
        # it, so the model writes the newline after "```python".
        turns = [*turns, {"role": "assistant", "content": prefix}]
    return chat_ids(tokenizer, turns, is_open=bool(prefix))


def chat_ids(tokenizer: PreTrainedTokenizerBase, turns: Sequence[Mapping[str, str]], is_open: bool) -> list[int]:
    """Return the ids of a chat. is_open: the response continues the last turn, which has no end yet.

    Raises ValueError if the chat template fails.
    """
    try:
        text = tokenizer.apply_chat_template(
            [dict(turn) for turn in turns],
            tokenize=False,
            add_generation_prompt=not is_open,
            continue_final_message=is_open,
        )
    except Exception as error:  # a template is code of the checkpoint, which may raise anything
        reason = " ".join(str(error).split())
        raise ValueError(
            f"the chat template of {tokenizer.name_or_path} fails ({type(error).__name__}: {reason}); mend it in its "
            "tokenizer_config.json or chat_template.jinja, or prompt without it: task.chat=false, in Python chat=False"
        ) from error
    # A template that needs a BOS contains it, as LLaDA's does. Special tokens added here would repeat it.
    return list(tokenizer.encode(text, add_special_tokens=False))


def sha256_of_ids(ids: Iterable[int]) -> str:
    """Return the SHA-256, in hex, of the ids in decimal joined by commas without spaces (`1,22,333`), as ASCII."""
    return hashlib.sha256(",".join(str(int(token)) for token in ids).encode("ascii")).hexdigest()


def response_text(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], end_ids: Collection[int]) -> str:
    """Return the text of the response before its first end token, without special tokens."""
    end = next((place for place, token in enumerate(ids) if token in end_ids), len(ids))
    # The clean-up would remove spaces before punctuation, which changes code.
    return str(tokenizer.decode(list(ids[:end]), skip_special_tokens=True, clean_up_tokenization_spaces=False))
