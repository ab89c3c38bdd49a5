"""Windows: packing states, sharing a context and freezing it change no logit."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.modeling.config import Family
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.kv_cache import KVCache, Window
from tests.modeling.windows import (
    BLOCK,
    LENGTH,
    MODES,
    block_window,
    random_canvas,
    random_states,
    refresh_window,
)
from tests.models import FAMILIES, random_model

TOLERANCE = 1e-9
MODELS = {family: random_model(family) for family in FAMILIES}


@pytest.fixture
def model(family: Family) -> MaskedDiffusionModel:
    return MODELS[family]


def context_for(model: MaskedDiffusionModel, canvas: torch.Tensor, window: Window) -> KVCache | None:
    return None if window.is_whole else model.refresh(canvas, refresh_window(window))[1]


@pytest.mark.parametrize("mode", MODES)
def test_packed_states_equal_single_states(model: MaskedDiffusionModel, mode: str) -> None:
    window = block_window(model.config, mode)
    canvas = random_canvas(model.config)
    states = random_states(model.config, canvas, window, nodes=5)
    context = context_for(model, canvas, window)
    packed = model.window(states, window, context)
    single = torch.cat([model.window(state[None], window, context) for state in states])
    assert packed.shape == (5, window.rows, model.config.vocabulary_size)
    assert (packed - single).abs().max() < TOLERANCE


@pytest.mark.parametrize("mode", MODES)
def test_window_on_the_unchanged_canvas_equals_the_refresh(model: MaskedDiffusionModel, mode: str) -> None:
    window = block_window(model.config, mode)
    canvas = random_canvas(model.config)
    refreshed, context = model.refresh(canvas, refresh_window(window))
    states = canvas[window.start : window.stop][None]
    recomputed = model.window(states, window, None if mode == "none" else context)
    lost = window.first_row - BLOCK[0]
    assert refreshed.shape[1] == BLOCK[1] - BLOCK[0]
    assert (recomputed - refreshed[:, lost:]).abs().max() < TOLERANCE


def test_refresh_equals_whole_canvas_logits(model: MaskedDiffusionModel) -> None:
    canvas = random_canvas(model.config)
    window = Window(0, LENGTH, 1, LENGTH, LENGTH)
    logits = model.transformer.logits(canvas[None])
    assert (model.refresh(canvas, window)[0] - logits[:, 1:]).abs().max() < TOLERANCE
    assert (model.window(canvas[None], window) - logits[:, 1:]).abs().max() < TOLERANCE


def test_an_empty_context_changes_nothing(model: MaskedDiffusionModel) -> None:
    window = block_window(model.config, "none")
    canvas = random_canvas(model.config)
    _, context = model.refresh(canvas, window)
    states = random_states(model.config, canvas, window, nodes=3)
    assert (model.window(states, window, context) - model.window(states, window)).abs().max() < TOLERANCE


@pytest.mark.parametrize("mode", MODES[1:])
def test_window_forwards_leave_the_context_alone(model: MaskedDiffusionModel, mode: str) -> None:
    window = block_window(model.config, mode)
    canvas = random_canvas(model.config)
    before = canvas.clone()
    _, context = model.refresh(canvas, refresh_window(window))
    frozen = [(key.clone(), value.clone()) for key, value in context.layers]
    states = random_states(model.config, canvas, window, nodes=4)
    given_states = states.clone()
    model.window(states, window, context)
    assert len(context.layers) == len(frozen) == model.config.layers
    for (key, value), (old_key, old_value) in zip(context.layers, frozen, strict=True):
        assert key.shape == (model.config.key_value_heads, LENGTH - window.size, model.config.head_size)
        assert torch.equal(key, old_key)
        assert torch.equal(value, old_value)
    assert torch.equal(canvas, before)
    assert torch.equal(states, given_states)


def test_the_context_stays_stale(model: MaskedDiffusionModel) -> None:
    """A state changed inside the window is not what a refresh of it gives: outside positions keep old K/V."""
    window = block_window(model.config, "dual ranked")
    canvas = random_canvas(model.config)
    _, context = model.refresh(canvas, refresh_window(window))
    states = random_states(model.config, canvas, window, nodes=1)
    changed = canvas.clone()
    changed[window.start : window.stop] = states[0]
    fresh, _ = model.refresh(changed, refresh_window(window))
    assert (model.window(states, window, context) - fresh).abs().max() > 1e-3


@pytest.mark.parametrize("mode", MODES)
def test_nodes_do_not_see_each_other(model: MaskedDiffusionModel, mode: str) -> None:
    window = block_window(model.config, mode)
    canvas = random_canvas(model.config)
    states = random_states(model.config, canvas, window, nodes=4)
    context = context_for(model, canvas, window)
    before = model.window(states, window, context)
    states[2] = random_states(model.config, canvas, window, nodes=1, seed=7)[0]
    after = model.window(states, window, context)
    others = [0, 1, 3]
    assert torch.equal(before[others], after[others])
    assert (before[2] - after[2]).abs().max() > 1e-3


@settings(max_examples=60, deadline=None)
@given(drawn=st.data(), family=st.sampled_from(FAMILIES))
def test_any_window(drawn: st.DataObject, family: Family) -> None:
    """Whatever window, rows and number of nodes: packed equals single, and unchanged equals refreshed."""
    model = MODELS[family]
    shift = model.config.logits_shift
    length = drawn.draw(st.integers(shift + 1, 20), label="length")
    start = drawn.draw(st.integers(0, length - shift - 1), label="start")
    stop = drawn.draw(st.integers(start + shift + 1, length), label="stop")
    first_row = drawn.draw(st.integers(start + shift, stop - 1), label="first_row")
    last_row = drawn.draw(st.integers(first_row + 1, stop), label="last_row")
    nodes = drawn.draw(st.integers(1, 4), label="nodes")
    window = Window(start, stop, first_row, last_row, length)
    canvas = random_canvas(model.config, seed=length, length=length)
    refreshed, context = model.refresh(canvas, window)
    states = random_states(model.config, canvas, window, nodes)
    states[0] = canvas[start:stop]
    packed = model.window(states, window, context)
    single = torch.cat([model.window(state[None], window, context) for state in states])
    assert (packed - single).abs().max() < TOLERANCE
    assert (packed[:1] - refreshed).abs().max() < TOLERANCE


def test_each_call_is_one_forward(model: MaskedDiffusionModel) -> None:
    calls = []
    hook = model.transformer.register_forward_hook(lambda *_: calls.append(1))
    window = block_window(model.config, "dual ranked")
    canvas = random_canvas(model.config)
    _, context = model.refresh(canvas, refresh_window(window))
    assert len(calls) == 1
    model.window(random_states(model.config, canvas, window, nodes=6), window, context)
    assert len(calls) == 2
    hook.remove()


def test_window_refuses_what_does_not_fit(model: MaskedDiffusionModel) -> None:
    window = block_window(model.config, "dual ranked")
    canvas = random_canvas(model.config)
    _, context = model.refresh(canvas, refresh_window(window))
    states = canvas[window.start : window.stop][None]
    with pytest.raises(ValueError, match=f"span {window.size - 1} positions, expected the window's {window.size}"):
        model.window(states[:, 1:], window, context)
    with pytest.raises(ValueError, match="needs the cache of a refresh forward"):
        model.window(states, window)
    other = Window(window.start - 1, window.stop - 1, window.first_row - 1, window.last_row - 1, LENGTH)
    with pytest.raises(ValueError, match=r"written around Window\(.*not where Window\("):
        model.window(states, other, context)
    with pytest.raises(ValueError, match=rf"canvas has {LENGTH - 1} positions, expected the window's {LENGTH}"):
        model.refresh(canvas[1:], window)


def test_dream_cannot_predict_a_position_whose_left_neighbour_is_context() -> None:
    model = MODELS["dream"]
    window = block_window(model.config, "dual")
    canvas = random_canvas(model.config)
    _, context = model.refresh(canvas, refresh_window(window))
    with pytest.raises(ValueError, match=f"position {BLOCK[0]} is predicted at {BLOCK[0] - 1}, but"):
        model.window(canvas[None, slice(*BLOCK)], replace(window, first_row=BLOCK[0]), context)


@pytest.mark.parametrize(
    "bounds", [(-1, 4, 0, 4, 8), (4, 2, 4, 2, 8), (2, 6, 1, 6, 8), (2, 6, 5, 4, 8), (2, 6, 3, 7, 8), (2, 9, 3, 5, 8)]
)
def test_a_window_lies_in_its_canvas_and_its_rows_in_the_window(bounds: tuple[int, int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="expected 0 <= start <= first_row <= last_row <= stop <= length"):
        Window(*bounds)
