"""A window that moves right: what it leaves behind stays as its last forward made it."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel

from ssd.modeling.checkpoint import load_model
from ssd.modeling.config import Family, ModelConfig
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.kv_cache import SlidingKVCache, Window
from tests.modeling.reference import aligned, reference_model, run_bidirectional, widen_norms
from tests.modeling.windows import LENGTH, random_canvas
from tests.models import FAMILIES, write_checkpoint
from tests.restless import restless_model, restless_transformer

TOLERANCE = 1e-9
# start and stop of each forward: the same again, one further, shorter, as far right as can be, a single step
STEPS = ((0, 8), (0, 12), (0, 12), (3, 14), (4, 9), (9, 15), (9, 20), (12, 24), (22, 24))


@pytest.fixture
def model(family: Family) -> MaskedDiffusionModel:
    return restless_model(family)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[Family, tuple[MaskedDiffusionModel, PreTrainedModel]]:
    """Our model and transformers', of each family, read from the same files, in float64 throughout."""
    return {family: _pair(tmp_path_factory.mktemp(family), family) for family in FAMILIES}


def _pair(folder: Path, family: Family) -> tuple[MaskedDiffusionModel, PreTrainedModel]:
    ours = load_model(write_checkpoint(folder, restless_transformer(family)))
    theirs = reference_model(folder, ours.config, torch.float64)
    widen_norms(theirs, ours.config)
    return ours, theirs


class HandKept:
    """transformers' model beside a key and a value for each layer and position, overwritten whenever recomputed."""

    def __init__(self, theirs: PreTrainedModel, config: ModelConfig) -> None:
        self.theirs = theirs
        self.config = config
        self.kept: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def slide(self, tokens: Tensor, window: Window) -> Tensor:
        """Logits [rows, vocabulary] of tokens [window] before which nothing is recomputed."""
        cache = DynamicCache()
        for layer in range(self.config.layers if window.start else 0):
            pairs = [self.kept[layer, position] for position in range(window.start)]
            cache.update(*(torch.stack(states, dim=2) for states in zip(*pairs, strict=True)), layer)
        outputs = run_bidirectional(self.theirs, tokens[None], torch.arange(window.start, window.stop), cache)
        for layer, states in enumerate(cache.layers):
            for position in range(window.start, window.stop):
                self.kept[layer, position] = (states.keys[:, :, position], states.values[:, :, position])
        return aligned(outputs, self.config)[0, window.first_row - window.start : window.last_row - window.start]


def window_of(config: ModelConfig, start: int, stop: int) -> Window:
    """The window with every row that can be predicted from within it; the canvas ends with it."""
    return Window(start, stop, start + config.logits_shift, stop, stop)


def tokens_of(config: ModelConfig, window: Window, seed: int) -> Tensor:
    return random_canvas(config, seed, window.size)


@pytest.mark.parametrize("stops", [(LENGTH,), (5, 9, 9, 7, LENGTH)])
def test_a_start_that_stays_is_the_whole_model_on_a_canvas_cut_off(
    model: MaskedDiffusionModel, stops: tuple[int, ...]
) -> None:
    context = SlidingKVCache(LENGTH)
    for step, stop in enumerate(stops):
        window = window_of(model.config, 0, stop)
        canvas = tokens_of(model.config, window, step)
        expected = model.transformer.logits(canvas[None])[:, window.first_row :]
        assert (model.slide(canvas, window, context) - expected).abs().max() < TOLERANCE
    assert context.layers == []


def check_steps(ours: MaskedDiffusionModel, theirs: PreTrainedModel, steps: list[tuple[int, int]]) -> None:
    """Every token changes at every step, so that a key or value kept from the wrong forward shows."""
    context, reference = SlidingKVCache(LENGTH), HandKept(theirs, ours.config)
    for seed, (start, stop) in enumerate(steps):
        window = window_of(ours.config, start, stop)
        tokens = tokens_of(ours.config, window, seed)
        logits = ours.slide(tokens, window, context)
        assert logits.shape == (1, window.rows, ours.config.vocabulary_size)
        assert (logits[0] - reference.slide(tokens, window)).abs().max() < TOLERANCE


def test_a_moving_window(family: Family, pairs: dict[Family, tuple[MaskedDiffusionModel, PreTrainedModel]]) -> None:
    check_steps(*pairs[family], list(STEPS))


@settings(max_examples=30, deadline=None)
@given(drawn=st.data(), family=st.sampled_from(FAMILIES))
def test_any_moving_window(
    drawn: st.DataObject, family: Family, pairs: dict[Family, tuple[MaskedDiffusionModel, PreTrainedModel]]
) -> None:
    start, stop, steps = 0, 0, []
    for _ in range(drawn.draw(st.integers(2, 6), label="steps")):
        start = drawn.draw(st.integers(start, min(stop, LENGTH - 2)), label="start")
        stop = drawn.draw(st.integers(start + 2, LENGTH), label="stop")
        steps.append((start, stop))
    check_steps(*pairs[family], steps)


def test_what_is_frozen_stays_as_and_where_it_is(model: MaskedDiffusionModel) -> None:
    context = SlidingKVCache(LENGTH)
    views: list[tuple[Tensor, Tensor]] = []
    copies: list[tuple[Tensor, Tensor]] = []
    for seed, (start, stop) in enumerate(((0, 12), (3, 14), (5, 16), (16, 24))):
        window = window_of(model.config, start, stop)
        model.slide(tokens_of(model.config, window, seed), window, context)
        for (key, value), (old_key, old_value) in zip(views, copies, strict=True):
            assert torch.equal(key, old_key)
            assert torch.equal(value, old_value)
        for (key, value), (old_key, old_value) in zip(context.layers, views, strict=bool(views)):
            assert (key.data_ptr(), value.data_ptr()) == (old_key.data_ptr(), old_value.data_ptr())
            assert key.shape == value.shape == (model.config.key_value_heads, start, model.config.head_size)
        views = context.layers
        copies = [(key.clone(), value.clone()) for key, value in views]
    assert len(views) == model.config.layers


def test_the_context_matters(model: MaskedDiffusionModel) -> None:
    """What the window sees of the left is what was there in its last forward, not what stands there now."""
    first, second = window_of(model.config, 0, 10), window_of(model.config, 6, 14)
    later = tokens_of(model.config, second, 9)
    logits = []
    for seed in (1, 2):
        context = SlidingKVCache(LENGTH)
        model.slide(tokens_of(model.config, first, seed), first, context)
        logits.append(model.slide(later, second, context))
    assert (logits[0] - logits[1]).abs().max() > 1e-2


def test_each_call_is_one_forward(model: MaskedDiffusionModel) -> None:
    calls: list[int] = []
    model.transformer.register_forward_hook(lambda *_: calls.append(1))
    context = SlidingKVCache(LENGTH)
    for seed, (start, stop) in enumerate(STEPS):
        window = window_of(model.config, start, stop)
        model.slide(tokens_of(model.config, window, seed), window, context)
    assert len(calls) == len(STEPS)


@pytest.mark.parametrize(("start", "stop"), [(2, 12), (13, 16), (4, LENGTH + 1)])
def test_a_window_that_the_context_does_not_lead_to(model: MaskedDiffusionModel, start: int, stop: int) -> None:
    context = SlidingKVCache(LENGTH)
    for seed, bounds in enumerate(((0, 8), (3, 12))):
        window = window_of(model.config, *bounds)
        model.slide(tokens_of(model.config, window, seed), window, context)
    window = window_of(model.config, start, stop)
    with pytest.raises(ValueError, match=rf"expected a start from 3 to 12, .* a stop of at most {LENGTH}, "):
        model.slide(tokens_of(model.config, window, 9), window, context)


def test_slide_refuses_what_does_not_fit(model: MaskedDiffusionModel) -> None:
    window = window_of(model.config, 0, 8)
    tokens = tokens_of(model.config, window, 0)
    with pytest.raises(ValueError, match="expected a start from 0 to 0"):
        model.slide(tokens[2:], window_of(model.config, 2, 8), SlidingKVCache(LENGTH))
    with pytest.raises(ValueError, match="span 7 positions, expected the window's 8"):
        model.slide(tokens[1:], window, SlidingKVCache(LENGTH))
    with pytest.raises(ValueError, match="expected a canvas that ends with the window, length == stop"):
        model.slide(tokens, Window(0, 8, 1, 8, LENGTH), SlidingKVCache(LENGTH))
