"""Probes change how forwards are made, or watch them, and change nothing of what they compute."""

import pytest
import torch

from baselines.stepwise import Stepwise
from ssd.bench.probes import ForwardCounter, OneByOne, Recorder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.speculation.decoder import SelfSpeculative
from tests.modeling.windows import MODES, block_window, random_canvas, random_states, refresh_window
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
    together, counter = model.window(states, window, context), ForwardCounter(model)
    alone = OneByOne(model).window(states, window, context)
    assert counter.forwards == 5
    torch.testing.assert_close(alone, together, rtol=1e-9, atol=1e-9)


def test_the_recorder_keeps_logits_as_they_were(family):
    model = restless_model(family)
    states, window, context = nodes_of_one_forward(model, "dual")
    expected = model.window(states, window, context)
    recorder = Recorder(model)
    with torch.inference_mode():
        recorder.window(states, window, context).fill_(0)  # as the stepping rule overwrites what it is given
    torch.testing.assert_close(recorder.logits, expected.double())


@pytest.mark.parametrize("cache", ["none", "prefix", "dual"])
def test_the_counter_and_the_trace_agree(family, cache):
    model = restless_model(family)
    settings = GenerationSettings(gen_length=16, block_length=8, cache=cache)
    counter = ForwardCounter(model)
    stepwise = Stepwise().decode(model, [3, 1, 4], settings, SPECIAL)
    assert counter.forwards == stepwise.trace.nfe == 16
    chain = SelfSpeculative(depth=4).decode(model, [3, 1, 4], settings, SPECIAL)
    assert counter.forwards == 16 + chain.trace.nfe
    assert chain.trace.nfe < 16
