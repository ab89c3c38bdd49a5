"""Our transformer computes what transformers' Llama and Qwen2 compute once their causal mask is gone."""

from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from ssd.modeling.checkpoint import load_model
from ssd.modeling.config import Family
from ssd.modeling.dllm import MaskedDiffusionModel
from tests.modeling.reference import aligned, cache_outside, reference_model, run_bidirectional, widen_norms
from tests.modeling.windows import BLOCK, block_window, random_canvas, random_states, refresh_window
from tests.models import random_transformer, write_checkpoint

TOLERANCE = 1e-9


@pytest.fixture
def pair(family: Family, tmp_path: Path) -> tuple[MaskedDiffusionModel, PreTrainedModel]:
    """Our model and theirs, read from the same files, in float64 throughout."""
    folder = write_checkpoint(tmp_path, random_transformer(family))
    ours = load_model(folder)
    theirs = reference_model(folder, ours.config, torch.float64)
    widen_norms(theirs, ours.config)
    return ours, theirs


def test_logits_in_float64(pair: tuple[MaskedDiffusionModel, PreTrainedModel]) -> None:
    ours, theirs = pair
    # 100 positions: errors of the rotation grow with the position
    tokens = random_canvas(ours.config, length=100)[None]
    expected = aligned(run_bidirectional(theirs, tokens), ours.config)
    assert expected.dtype == torch.float64
    assert (ours.transformer.logits(tokens) - expected).abs().max() < TOLERANCE


def test_the_causal_mask_would_be_noticed(pair: tuple[MaskedDiffusionModel, PreTrainedModel]) -> None:
    ours, theirs = pair
    tokens = random_canvas(ours.config)[None]
    causal = aligned(theirs(tokens).logits, ours.config)
    assert (ours.transformer.logits(tokens) - causal).abs().max() > 1e-2


@pytest.mark.parametrize("mode", ["prefix", "dual", "prefix ranked", "dual ranked"])
def test_changed_states_over_a_frozen_context(pair: tuple[MaskedDiffusionModel, PreTrainedModel], mode: str) -> None:
    """The reference runs the window's tokens at their absolute positions behind a key/value cache of its own."""
    ours, theirs = pair
    window = block_window(ours.config, mode)
    canvas = random_canvas(ours.config)
    states = random_states(ours.config, canvas, window, nodes=3)
    _, context = ours.refresh(canvas, refresh_window(window))
    logits = ours.window(states, window, context)
    for node, state in enumerate(states):
        cache = cache_outside(theirs, canvas[None], window.start, window.stop)
        outputs = run_bidirectional(theirs, state[None], torch.arange(window.start, window.stop), cache)
        first = window.first_row - window.start
        rows = aligned(outputs, ours.config)[0, first : first + window.rows]
        assert (logits[node] - rows).abs().max() < TOLERANCE
    assert window.last_row == BLOCK[1]


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.06)])
def test_logits_with_untouched_norms(family: Family, tmp_path: Path, dtype: torch.dtype, tolerance: float) -> None:
    """In the dtypes people run, against transformers exactly as it is; logits have unit variance."""
    folder = write_checkpoint(tmp_path, random_transformer(family, dtype=dtype))
    ours = load_model(folder)
    theirs = reference_model(folder, ours.config, dtype)
    tokens = random_canvas(ours.config, length=100)[None]
    expected = aligned(run_bidirectional(theirs, tokens), ours.config)
    logits = ours.transformer.logits(tokens)
    assert logits.dtype == expected.dtype == dtype
    assert (logits - expected).abs().max() < tolerance
