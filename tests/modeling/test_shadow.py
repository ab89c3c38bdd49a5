"""Shadows: masks that stand at a row's position again and predict it without seeing its token."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from ssd.modeling.checkpoint import load_model
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.kv_cache import KVCache, Window
from tests.modeling.reference import cache_outside, reference_model, widen_norms
from tests.modeling.windows import BLOCK, LENGTH, block_window, random_canvas, random_states
from tests.models import write_checkpoint
from tests.restless import restless_model, restless_transformer

TOLERANCE = 1e-9
MODES = ("none", "prefix", "dual")


@pytest.fixture(params=[4, 2], ids=["4 key heads", "2 key heads"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[MaskedDiffusionModel, PreTrainedModel]:
    """LLaDA and transformers' Llama, read from the same files, in float64 throughout."""
    ours = load_model(write_checkpoint(tmp_path, restless_transformer("llada", key_value_heads=request.param)))
    theirs = reference_model(tmp_path, ours.config, torch.float64)
    widen_norms(theirs, ours.config)
    return ours, theirs


def situation(model: MaskedDiffusionModel, mode: str) -> tuple[Tensor, Tensor, Window, KVCache | None]:
    """A canvas [length], a changed state [window] of it, and the context that its refresh froze."""
    window = block_window(model.config, mode)
    canvas = random_canvas(model.config)
    state = random_states(model.config, canvas, window, nodes=1)[0]
    context = None if window.is_whole else model.refresh(canvas, window)[1]
    return canvas, state, window, context


def reference_logits(theirs: PreTrainedModel, canvas: Tensor, state: Tensor, window: Window, mask_id: int) -> Tensor:
    """Logits [window + rows, vocabulary] of an expanded sequence, who sees whom written out pair by pair."""
    rows = range(window.first_row, window.last_row)
    members = [(position, False) for position in range(window.start, window.stop)] + [(row, True) for row in rows]
    outside = LENGTH - window.size
    scores = torch.full((len(members), outside + len(members)), -torch.inf, dtype=torch.float64)
    scores[:, :outside] = 0
    for reader, (here, reader_is_shadow) in enumerate(members):
        for read, (there, read_is_shadow) in enumerate(members):
            if not read_is_shadow and not (reader_is_shadow and here == there):
                scores[reader, outside + read] = 0
            if read_is_shadow and reader_is_shadow:
                scores[reader, outside + read] = 0
    cache = cache_outside(theirs, canvas[None], window.start, window.stop) if outside else DynamicCache()
    return theirs(
        torch.cat((state, torch.full((window.rows,), mask_id)))[None],
        attention_mask=scores[None, None],
        position_ids=torch.tensor([position for position, _ in members])[None],
        past_key_values=cache,
    ).logits[0]


@pytest.mark.parametrize("mode", MODES)
def test_both_kinds_of_logits(pair: tuple[MaskedDiffusionModel, PreTrainedModel], mode: str) -> None:
    ours, theirs = pair
    canvas, state, window, context = situation(ours, mode)
    logits = ours.window_with_shadow(state, window, context)
    expected = reference_logits(theirs, canvas, state, window, ours.config.mask_id)
    first = window.first_row - window.start
    assert logits.shape == (2, BLOCK[1] - BLOCK[0], ours.config.vocabulary_size)
    assert (logits[0] - expected[first : first + window.rows]).abs().max() < TOLERANCE
    assert (logits[1] - expected[window.size :]).abs().max() < TOLERANCE
    assert (logits[0] - logits[1]).abs().max() > 1e-2


@pytest.mark.parametrize("mode", MODES)
def test_the_state_does_not_see_its_shadows(pair: tuple[MaskedDiffusionModel, PreTrainedModel], mode: str) -> None:
    ours, _ = pair
    _, state, window, context = situation(ours, mode)
    logits = ours.window_with_shadow(state, window, context)
    assert (logits[0] - ours.window(state[None], window, context)[0]).abs().max() < TOLERANCE


def test_rows_that_begin_inside_the_window() -> None:
    """Rows are any part of the window, from one of them to all."""
    model = restless_model("llada")
    canvas = random_canvas(model.config)
    for first_row, last_row in ((0, 1), (5, 9), (LENGTH - 1, LENGTH), (0, LENGTH)):
        window = Window(0, LENGTH, first_row, last_row, LENGTH)
        logits = model.window_with_shadow(canvas, window)
        assert (logits[0] - model.window(canvas[None], window)[0]).abs().max() < TOLERANCE
        assert logits.shape[1] == last_row - first_row


def test_a_shadow_alone_is_a_masked_canvas_for_one_layer() -> None:
    """With one layer no other position can pass the token on: its shadow predicts as if the token were masked."""
    model = restless_model("llada", layers=1)
    canvas = random_canvas(model.config)
    for row in (0, 7, LENGTH - 1):
        window = Window(0, LENGTH, row, row + 1, LENGTH)
        masked = canvas.clone()
        masked[row] = model.config.mask_id
        shadow = model.window_with_shadow(canvas, window)[1]
        assert (shadow - model.window(masked[None], window)[0]).abs().max() < TOLERANCE


def test_it_is_one_forward_and_leaves_the_state_alone() -> None:
    model = restless_model("llada")
    _, state, window, context = situation(model, "dual")
    before, calls = state.clone(), []
    model.transformer.register_forward_hook(lambda *_: calls.append(1))
    model.window_with_shadow(state, window, context)
    assert len(calls) == 1
    assert torch.equal(state, before)


def test_dream_has_no_shadows() -> None:
    model = restless_model("dream")
    canvas = random_canvas(model.config)
    with pytest.raises(ValueError, match="family dream predicts a position from its left neighbour") as caught:
        model.window_with_shadow(canvas, Window(0, LENGTH, 4, 8, LENGTH))
    assert "\n" not in str(caught.value)


def test_window_with_shadow_refuses_what_does_not_fit() -> None:
    model = restless_model("llada")
    canvas, state, window, context = situation(model, "dual")
    with pytest.raises(ValueError, match=f"span {window.size - 1} positions, expected the window's {window.size}"):
        model.window_with_shadow(state[1:], window, context)
    with pytest.raises(ValueError, match="needs the cache of a refresh forward"):
        model.window_with_shadow(state, window)
    with pytest.raises(ValueError, match="the cache was written around"):
        model.window_with_shadow(canvas, Window(0, LENGTH, *BLOCK, LENGTH), context)
