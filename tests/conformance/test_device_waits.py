"""How often the host waits for a device: once per forward, and for the sampled steps that a draft foresees."""

from itertools import product

import pytest
import torch

from baselines.fast_dllm import FastDLLM
from baselines.freedave import FreeDave
from baselines.psd import ParallelSelfSpeculative
from baselines.stepwise import Stepwise
from baselines.wino import WINO
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure.engines import as_decoded
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.speculation.decoder import SelfSpeculative
from tests.effort import LONG
from tests.models import FAMILIES, random_model
from tests.pretended.cuda import pretended_cuda

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62,))
PROMPT = [1, 2, 3, 4]
CUDA = torch.device("cuda", 0)
DECODERS = {
    "stepwise": Stepwise(),
    "fast_dllm": FastDLLM(),
    "chain": SelfSpeculative(4),
    "best_first": SelfSpeculative(4, builder="best_first", alternatives=True),
    "auto": SelfSpeculative("auto", budget=8, costs=[[1, 1.0], [8, 1.3]]),
    "freedave": FreeDave(4),
    "psd": ParallelSelfSpeculative(depth=3),
    "wino": WINO(),
}
DRAFTS = ("chain", "best_first", "auto", "freedave", "psd")
"""What foresees steps."""


@pytest.fixture
def record():
    with pretended_cuda() as record:
        yield record


def decoded(record, name, family, settings, engine="eager", numerics="native"):
    """The device's response, after another one that warmed it up; and the host's."""
    host, device = (random_model(family) for _ in range(2))
    device = as_decoded(MaskedDiffusionModel(device.transformer.to(CUDA)), engine, numerics, DECODERS[name])
    DECODERS[name].decode(device, PROMPT, settings, SPECIAL)
    record.clear()
    return (DECODERS[name].decode(model, PROMPT, settings, SPECIAL) for model in (device, host))


CACHES = ("none", "dual")
WAYS = [
    (name, *way, CACHES[(place + turn) % 2])
    for place, name in enumerate(DECODERS)
    for turn, way in enumerate((("eager", "native"), ("graph", "locked")))
]
NATIVE_GRAPHS = [("chain", "graph", "native", "none"), ("fast_dllm", "graph", "native", "dual")]
ALL_WAYS = list(product(DECODERS, ("eager", "graph"), ("native", "locked"), CACHES))


@pytest.mark.parametrize(("name", "engine", "numerics", "cache"), ALL_WAYS if LONG else [*WAYS, *NATIVE_GRAPHS])
@pytest.mark.slow
def test_one_read_and_no_waiting_copy_per_forward(record, name, engine, numerics, cache):
    settings = GenerationSettings(gen_length=6, block_length=3, cache=cache)
    found, expected = decoded(record, name, "llada", settings, engine, numerics)
    assert found.response_ids == expected.response_ids
    assert (len(record.reads), record.waiting) == (found.trace.nfe, [])
    shadows = found.trace.nfe - settings.blocks if name == "wino" else 0  # the tokens that are judged go along
    assert record.copies == found.trace.nfe + shadows


SAMPLED = [name for name in DECODERS if name != "wino"]
BY_TURNS = [(name, FAMILIES[place % 2]) for place, name in enumerate(SAMPLED)]


@pytest.mark.parametrize(("name", "family"), list(product(SAMPLED, FAMILIES)) if LONG else BY_TURNS)
@pytest.mark.slow
def test_sampling_makes_no_copy_wait_and_only_drafts_read_again(record, family, name):
    settings = GenerationSettings(gen_length=8, block_length=4, temperature=0.7)
    found, expected = decoded(record, name, family, settings)
    assert found.response_ids == expected.response_ids
    # Every forward but each block's last is followed by a draft.
    foreseen = found.trace.nfe - settings.blocks if name in DRAFTS else 0
    assert (len(record.reads), record.waiting) == (found.trace.nfe + foreseen, [])
