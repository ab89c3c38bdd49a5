"""The autoregressive verifier: its cache changes no logit, and it speaks the model's token ids or is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import Qwen2Config, Qwen2ForCausalLM
from transformers.utils import logging

from ssd.modeling.verifier import Verifier, check_same_tokens, load_verifier
from ssd.paths import ROOT

MODEL = ROOT / "checkpoints" / "llada_tiny"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
TOLERANCE = 1e-9
LENGTH = 20


def write_verifier(folder: Path, tied: bool = False) -> Path:
    """A random Qwen2 of two layers behind the tiny checkpoints' tokenizer."""
    config = Qwen2Config(
        vocab_size=512,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
    )
    torch.manual_seed(0)
    module = Qwen2ForCausalLM(config)
    for weight in module.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    folder.mkdir(exist_ok=True)
    # Its own writer draws a progress bar.
    module.config.architectures = ["Qwen2ForCausalLM"]
    module.config.save_pretrained(folder)
    weights = module.state_dict()
    if tied:
        del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for name in TOKENIZER_FILES:
        shutil.copy(MODEL / name, folder)
    return folder


def load(folder: Path, dtype: torch.dtype = torch.float64) -> Verifier:
    return load_verifier(str(folder), MODEL, "cpu", dtype)


@pytest.fixture
def verifier(tmp_path: Path) -> Verifier:
    return load(write_verifier(tmp_path))


@pytest.fixture
def tokens() -> Tensor:
    return torch.randint(0, 512, (LENGTH,), generator=torch.Generator().manual_seed(0))


def uncached(verifier: Verifier, tokens: Tensor) -> Tensor:
    with torch.no_grad():
        return verifier.module(tokens[None], use_cache=False).logits[0]


@pytest.mark.parametrize("lengths", [(LENGTH,), (7, 1, 5, 1, 6), (1,) * LENGTH])
def test_cached_logits_are_the_uncached_ones(verifier: Verifier, tokens: Tensor, lengths: tuple[int, ...]) -> None:
    logits = []
    for part in tokens.split(lengths):
        logits.append(verifier.logits(part))
        assert logits[-1].shape == (len(part), verifier.vocabulary_size)
    assert verifier.cached == LENGTH
    assert (torch.cat(logits) - uncached(verifier, tokens)).abs().max() < TOLERANCE


@pytest.mark.parametrize("length", [0, 1, 9, LENGTH])
def test_going_on_after_a_crop_is_recomputing(verifier: Verifier, tokens: Tensor, length: int) -> None:
    verifier.logits(tokens)
    verifier.crop(length)
    assert verifier.cached == length
    others = tokens.flip(0)[:6]
    expected = uncached(verifier, torch.cat((tokens[:length], others)))[length:]
    assert (torch.cat((verifier.logits(others[:2]), verifier.logits(others[2:]))) - expected).abs().max() < TOLERANCE
    assert verifier.cached == length + 6


def test_the_last_rows_alone(verifier: Verifier, tokens: Tensor) -> None:
    expected = uncached(verifier, tokens)[-3:]
    verifier.logits(tokens[:9], last=1)
    logits = verifier.logits(tokens[9:], last=3)
    assert logits.shape == (3, verifier.vocabulary_size)
    assert (logits - expected).abs().max() < TOLERANCE
    assert verifier.cached == LENGTH


def test_reset_forgets(verifier: Verifier, tokens: Tensor) -> None:
    first = verifier.logits(tokens)
    verifier.reset()
    assert verifier.cached == 0
    assert torch.equal(verifier.logits(tokens), first)


def test_it_cannot_crop_to_what_it_has_not_read(verifier: Verifier, tokens: Tensor) -> None:
    verifier.crop(0)
    verifier.logits(tokens[:3])
    for length in (-1, 4):
        with pytest.raises(ValueError, match=f"cannot crop to {length} tokens, expected 0 to the 3 that are cached"):
            verifier.crop(length)


def test_each_call_is_one_forward_without_gradients(verifier: Verifier, tokens: Tensor) -> None:
    calls: list[int] = []
    verifier.module.register_forward_hook(lambda *_: calls.append(1))
    assert not verifier.logits(tokens).requires_grad
    verifier.logits(tokens[:1])
    assert len(calls) == 2
    assert not verifier.module.training
    assert not any(weight.requires_grad for weight in verifier.module.parameters())


@pytest.mark.parametrize("tied", [False, True])
def test_loading(tmp_path: Path, capfd: pytest.CaptureFixture[str], tied: bool) -> None:
    folder = write_verifier(tmp_path, tied)
    verifier = load(folder, torch.bfloat16)
    assert {weight.dtype for weight in verifier.module.parameters()} == {torch.bfloat16}
    stored = load_file(folder / "model.safetensors")
    assert {name for name, _ in verifier.module.named_parameters()} == stored.keys()
    for name, weight in verifier.module.named_parameters():
        assert torch.equal(weight, stored[name].bfloat16()), name
    assert capfd.readouterr() == ("", "")
    assert logging.is_progress_bar_enabled()


@pytest.mark.parametrize("model", ["llada_tiny", "dream_tiny"])
def test_the_shipped_one_fits_the_shipped_models(model: str) -> None:
    folder = ROOT / "checkpoints" / model
    verifier = load_verifier("checkpoints/verifier_tiny", folder, "cpu", torch.float32)
    logits = verifier.logits(torch.arange(5))
    assert verifier.vocabulary_size == 512
    assert logits.shape == (5, 512)
    assert logits.isfinite().all()


def test_another_tokenizer(tmp_path: Path) -> None:
    folder = write_verifier(tmp_path)
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary = content["model"]["vocab"]
    (first, low), (second, high) = (item for item in vocabulary.items() if item[1] in (100, 200))
    vocabulary |= {first: high, second: low}
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"is 100 there and 200 here; decoder\.verifier=FOLDER or Hub id names one"):
        load(folder)


def test_one_token_in_a_thousand_may_differ() -> None:
    model = {f"word {index}": index for index in range(2000)}
    check_same_tokens(Path("v"), {**model, "word 7": 8, "word 9": 10}, model)
    check_same_tokens(Path("v"), {**dict(list(model.items())[:1500]), "own": 1999}, model)
    with pytest.raises(ValueError, match=r": 3 of its 2000 tokens .* 0\.1% at most; 'word 7' is 8 there and 7 here"):
        check_same_tokens(Path("v"), {**model, "word 7": 8, "word 8": 9, "word 9": 10}, model)
    with pytest.raises(ValueError, match=r": 1 of its 1 tokens .*; 'other' is 0 there and None here"):
        check_same_tokens(Path("v"), {"other": 0}, model)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda weights: weights.unlink(), r"neither model\.safetensors nor"),
        (lambda weights: weights.write_bytes(weights.read_bytes()[:-100]), "incomplete metadata"),
        (lambda weights: (weights.parent / "config.json").write_text('{"model_type": "no such"}'), "no such"),
    ],
)
def test_a_folder_that_transformers_cannot_load(tmp_path: Path, damage: Callable[[Path], object], reason: str) -> None:
    folder = write_verifier(tmp_path)
    damage(folder / "model.safetensors")
    with pytest.raises(ValueError, match=rf"transformers loads no autoregressive model from it \(.*{reason}") as caught:
        load(folder)
    assert "\n" not in str(caught.value)


def test_a_missing_weight_is_not_made_up(tmp_path: Path) -> None:
    folder = write_verifier(tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"missing weight model\.norm\.weight; was it downloaded in full\?$"):
        load(folder)


def test_a_path_that_leads_nowhere_names_the_option() -> None:
    with pytest.raises(FileNotFoundError, match=r"^decoder\.verifier=\./nowhere: no such folder"):
        load_verifier("./nowhere", MODEL, "cpu", torch.float32)
