"""The tokenizer that the tiny checkpoints share: byte-level BPE, one token per digit."""

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from ssd.tasks.tiny_language import TASKS, documents, drills, response, user_message

END, MASK, START, TURN_START, TURN_END = "<|endoftext|>", "<|mask|>", "<|startoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL_TOKENS = (END, MASK, START, TURN_START, TURN_END)
VOCABULARY_SIZE = 512

_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

_CORPUS_SEED = 20251
_CORPUS_DOCUMENTS = 3000


def train_tokenizer() -> Tokenizer:
    """Return a tokenizer trained on the synthetic language's train split. The result is deterministic."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        min_frequency=2,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(), trainer)
    return tokenizer


def wrap(tokenizer: Tokenizer, starts_with: str, context_length: int) -> PreTrainedTokenizerFast:
    """Return a `transformers` tokenizer with the chat template.

    `starts_with` begins the rendered chat: LLaDA's template writes a first token, Dream's does not.
    """
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        chat_template=starts_with + _TEMPLATE,
        eos_token=END,
        pad_token=END,
        mask_token=MASK,
        bos_token=START,
        additional_special_tokens=[TURN_START, TURN_END],
        model_max_length=context_length,
        clean_up_tokenization_spaces=False,
    )


def save(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and special_tokens_map.json, with the template inside the config."""
    tokenizer.save_pretrained(folder)
    template_file = folder / "chat_template.jinja"
    if template_file.exists():
        template_file.unlink()
    config_file = folder / "tokenizer_config.json"
    settings: dict[str, Any] = json.loads(config_file.read_text())
    settings.pop("backend", None)
    settings.pop("extra_special_tokens", None)
    settings |= {
        "additional_special_tokens": [TURN_START, TURN_END],
        "chat_template": tokenizer.chat_template,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    config_file.write_text(json.dumps(settings, indent=2) + "\n")
    names = ("bos_token", "eos_token", "mask_token", "pad_token")
    roles: dict[str, Any] = {name: getattr(tokenizer, name) for name in names}
    roles["additional_special_tokens"] = [TURN_START, TURN_END]
    (folder / "special_tokens_map.json").write_text(json.dumps(roles, indent=2) + "\n")


def _corpus() -> list[str]:
    lines = ["system\n", "user\n", "assistant\n"] * _CORPUS_DOCUMENTS + drills(500, _CORPUS_SEED)
    for task in TASKS:
        for document in documents(task, "train", _CORPUS_DOCUMENTS, _CORPUS_SEED):
            lines += [user_message(task, document), response(task, document)]
    return lines
