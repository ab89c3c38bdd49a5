"""Where the tests of tasks find real data, and the tokenizers they render with."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, Qwen2TokenizerFast

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def conf_folder() -> Path:
    return REPOSITORY / "conf"


@pytest.fixture(scope="session")
def dream(data_file: Callable[[str], Path]) -> Qwen2TokenizerFast:
    return Qwen2TokenizerFast.from_pretrained(data_file("tokenizers/Dream-v0-Instruct-7B"))


@pytest.fixture
def with_bos() -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer that, like LLaDA's, puts a BOS before whatever it encodes."""
    letters = pre_tokenizers.ByteLevel.alphabet()
    backend = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate(sorted(letters))}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(["<|startoftext|>"])
    bos = backend.token_to_id("<|startoftext|>")
    backend.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A", special_tokens=[("<|startoftext|>", bos)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<|startoftext|>")


@pytest.fixture
def llada(with_bos: PreTrainedTokenizerFast, data_file: Callable[[str], Path]) -> PreTrainedTokenizerFast:
    """Return LLaDA's real chat template on that tokenizer: its vocabulary does not come with the data folder."""
    config = json.loads(data_file("tokenizers/LLaDA-8B-Instruct/tokenizer_config.json").read_text(encoding="utf-8"))
    with_bos.chat_template = config["chat_template"]
    return with_bos


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the Hub out, as on a machine that cannot reach it."""
    import datasets
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
