"""Probes change how forwards are made, or watch them, and change nothing of what they compute."""

import pytest
import torch

from baselines.stepwise import Stepwise
from ssd.audit.node_isolation import NodeIsolationProbe
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure import instrumentation as probes
from ssd.measure.instrumentation import ForwardCounter, ForwardTimer, LogitsRecorder, NodeByNode
from ssd.modeling.batch_invariant import MULTIPLE, BatchInvariantModel
from ssd.modeling.forwards import DelegatingModel, DiffusionModel
from ssd.modeling.kv_cache import SlidingKVCache, Window
from ssd.speculation.decoder import SelfSpeculative
from tests.modeling.windows import MODES, block_window, random_canvas, random_states, refresh_window
from tests.models import random_model
from tests.restless import restless_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))


def nodes_of_one_forward(model, mode):
    canvas, window = random_canvas(model.config), block_window(model.config, mode)
    context = None if window.is_whole else model.refresh(canvas, refresh_window(window))[1]
    return random_states(model.config, canvas, window, nodes=5), window, context


@pytest.mark.parametrize("mode", MODES)
def test_nodes_one_by_one_have_the_same_logits(family, mode):
    model = restless_model(family)
    states, window, context = nodes_of_one_forward(model, mode)
    together, counter = model.window(states, window, context), ForwardCounter(model.transformer)
    alone = NodeByNode(model).window(states, window, context)
    assert counter.forwards == 5
    torch.testing.assert_close(alone, together, rtol=1e-9, atol=1e-9)


def test_the_recorder_keeps_logits_as_they_were(family):
    model = restless_model(family)
    states, window, context = nodes_of_one_forward(model, "dual")
    expected = model.window(states, window, context)
    recorder = LogitsRecorder(model)
    with torch.inference_mode():
        recorder.window(states, window, context).fill_(0)  # as the stepping rule overwrites what it is given
    torch.testing.assert_close(recorder.last_logits, expected.double())


@pytest.mark.parametrize("cache", ["none", "prefix", "dual"])
def test_the_counter_and_the_trace_agree(family, cache):
    model = restless_model(family)
    settings = GenerationSettings(gen_length=16, block_length=8, cache=cache)
    counter = ForwardCounter(model.transformer)
    stepwise = Stepwise().decode(model, [3, 1, 4], settings, SPECIAL)
    assert counter.forwards == stepwise.trace.nfe == 16
    chain = SelfSpeculative(depth=4).decode(model, [3, 1, 4], settings, SPECIAL)
    assert counter.forwards == 16 + chain.trace.nfe
    assert chain.trace.nfe < 16


class Clock:
    """Time that passes only where a test says so; it stands in for the `time` module."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s


class Waits(torch.nn.Module):
    """A forward over x takes x seconds."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def forward(self, seconds: float) -> float:
        self.clock.now_s += seconds
        return seconds


def test_the_timer_adds_up_the_forwards_and_nothing_between_them(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(probes, "time", clock)
    module = Waits(clock)
    timer = ForwardTimer(torch.device("cpu"), module)
    for seconds in (1.0, 2.0, 4.0):
        clock.now_s += 100.0
        assert module(seconds) == seconds
    assert timer.take() == 7.0
    assert timer.take() == 0.0, "what has been taken is gone"
    module(8.0)
    assert timer.take() == 8.0


@pytest.mark.parametrize("wrapper", [NodeByNode, LogitsRecorder, NodeIsolationProbe])
@pytest.mark.parametrize("call", ["window", "window_with_shadow", "slide"])
def test_wrappers_leave_every_forward_to_a_batch_invariant_model(monkeypatch, wrapper, call):
    model = wrapper(BatchInvariantModel(random_model("llada"), 4))
    tokens, seen, predict = torch.arange(8), [], model.transformer.predict
    monkeypatch.setattr(model.transformer, "predict", lambda hidden: seen.append(hidden.shape[1]) or predict(hidden))
    window = Window(0, 8, 2, 7, 8)
    if call == "slide":
        model.slide(tokens, window, SlidingKVCache(8))
    else:
        getattr(model, call)(tokens if call == "window_with_shadow" else tokens[None], window)
    assert set(seen) == {MULTIPLE}, "logits are computed in pieces of one shape"


def test_a_delegating_model_passes_on_all_calls_of_the_interface():
    own = {name for name in vars(DiffusionModel) if not name.startswith("_")}
    assert own <= set(vars(DelegatingModel))
