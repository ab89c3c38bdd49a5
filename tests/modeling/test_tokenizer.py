"""Tokenizers as the Hub has them: Dream's vocabulary files, or one tokenizer.json."""

import json
import shutil
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from ssd.modeling.checkpoint import load_tokenizer
from ssd.tasks.prompts import chat_ids
from tests.data import REPOSITORY


@pytest.fixture(scope="module")
def dream(data: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(data / "tokenizers" / "Dream-v0-Instruct-7B")


def test_dream_special_tokens(dream: PreTrainedTokenizerBase) -> None:
    assert (dream.vocab_size, len(dream)) == (151643, 151667)
    assert dream.convert_tokens_to_ids("<|mask|>") == dream.mask_token_id == 151666
    assert dream.convert_tokens_to_ids("<|im_end|>") == 151645
    assert (dream.eos_token_id, dream.pad_token_id, dream.bos_token_id) == (151643, 151643, 151665)


def test_dream_chat_template(dream: PreTrainedTokenizerBase) -> None:
    messages = [{"role": "user", "content": "What is 2 + 3?"}]
    text = dream.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text.endswith("<|im_start|>user\nWhat is 2 + 3?<|im_end|>\n<|im_start|>assistant\n")
    ids = dream.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert ids == dream.encode(text, add_special_tokens=False)
    assert ids.count(151645) == text.count("<|im_end|>")


def test_dream_golden_cases(data: Path, dream: PreTrainedTokenizerBase) -> None:
    """Text and ids recorded from llama.cpp, which does not normalise: `e` + U+0301 becomes `é` (NFC) here only."""
    golden = data / "tokenizers" / "Dream-v0-Instruct-7B" / "golden-llama-tokenize.tsv"
    cases = [line.split("\t") for line in golden.read_text().splitlines()]
    expected = {bytes.fromhex(text).decode(): [int(token) for token in ids.split(",") if token] for text, ids in cases}
    differing = [text for text, ids in expected.items() if dream.encode(text, add_special_tokens=False) != ids]
    assert len(cases) == len(expected) == 36
    assert differing == ["combining e\u0301 accents"]


def test_tokenizer_json(tmp_path: Path) -> None:
    inner = Tokenizer(models.WordLevel({"one": 0, "two": 1, "<|mask|>": 2, "?": 3}, unk_token="?"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    saved = PreTrainedTokenizerFast(tokenizer_object=inner, mask_token="<|mask|>")
    saved.chat_template = "{% for message in messages %}{{ message['content'] }} two{% endfor %}"
    saved.save_pretrained(tmp_path)
    loaded = load_tokenizer(tmp_path)
    assert loaded.encode("two one <|mask|>", add_special_tokens=False) == [1, 0, 2]
    assert loaded.mask_token_id == 2
    assert loaded.apply_chat_template([{"role": "user", "content": "one"}], return_dict=False) == [0, 1]


def test_no_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match=r"neither tokenizer\.json nor vocab\.json with merges\.txt; download"):
        load_tokenizer(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The tokenizer of a shipped checkpoint, whose files a test may damage."""
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(REPOSITORY / "checkpoints" / "llada_tiny" / name, tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (
            "tokenizer.json",
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "a Git LFS pointer instead of",
        ),
        ("tokenizer.json", "[1, 2]", "holds a list, expected an object"),
        ("tokenizer.json", '{"name": "other"}', "transformers makes no tokenizer of it"),
        ("tokenizer.json", '{"model"', "not JSON"),
        ("tokenizer_config.json", '{"chat_template": "{%', "not JSON"),
        ("tokenizer_config.json", "[]", "holds a list, expected an object"),
        ("tokenizer_config.json", "version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer instead of"),
    ],
)
def test_a_damaged_file_is_named(folder: Path, name: str, content: str, reason: str) -> None:
    (folder / name).write_text(content)
    with pytest.raises(ValueError, match=f"{name}: {reason}") as caught:
        load_tokenizer(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ messages[9]['content'] }}", "UndefinedError"),
        ("{% for", "TemplateSyntaxError"),
        ("{{ 1 + '' }}", "TypeError"),
    ],
)
def test_a_chat_template_that_fails_names_itself(folder: Path, template: str, reason: str) -> None:
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": template}))
    tokenizer = load_tokenizer(folder)
    with pytest.raises(ValueError, match=rf"^the chat template of {folder} fails \({reason}: ") as caught:
        chat_ids(tokenizer, [{"role": "user", "content": "one"}], is_open=False)
    assert "\n" not in str(caught.value)
