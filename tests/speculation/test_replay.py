"""Recorded trajectories: a replay has the forwards of decoding, and a fit the likeliest weights."""

from functools import cache
from itertools import pairwise
from math import log

import pytest

from ssd.decoding.settings import GenerationSettings
from ssd.speculation.decoder import SelfSpeculative
from ssd.speculation.pick_model import PRIOR, PickModel
from ssd.speculation.prior_fit import AHEAD, PULL, fit_prior
from ssd.speculation.recording import Trajectory, picks_between, record_trajectory
from ssd.speculation.replay import replay
from tests.priors import random_prior, random_prior_file
from tests.restless import restless_model
from tests.speculation.test_lossless import SPECIAL

PROMPT, DEPTH = [1, 2, 3], 11
SETTINGS = {
    "dual": GenerationSettings(gen_length=24, block_length=12),
    "several picks": GenerationSettings(gen_length=24, block_length=12, steps=16),
    "sampled": GenerationSettings(gen_length=24, block_length=12, temperature=0.5),
    "a tree": GenerationSettings(gen_length=24, block_length=12, cache="dkv"),
}


@cache
def recorded(name: str) -> Trajectory:
    return record_trajectory(restless_model("llada", 1), PROMPT, SETTINGS[name], SPECIAL, DEPTH)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(("builder", "width"), [("chain", 1), ("best_first", 4)])
@pytest.mark.parametrize("nodes", [2, 5])
def test_a_replay_has_the_forwards_of_decoding(name, builder, width, nodes):
    best_first = builder == "best_first"
    depth, file = (DEPTH, random_prior_file(3)) if best_first else (nodes - 1, None)
    decoder = SelfSpeculative(depth, width, nodes, builder, prior=file)
    trace = decoder.decode(restless_model("llada", 1), PROMPT, SETTINGS[name], SPECIAL).trace
    forwards, steps, expected = replay(recorded(name), builder, nodes, width, random_prior(3) if best_first else PRIOR)
    assert forwards == trace.nfe
    assert steps == recorded(name).trace.nfe
    assert forwards <= expected <= nodes * forwards


def test_the_fit_is_the_best_of_its_neighbours():
    weights, count = fit_prior([recorded("dual")])
    assert weights != PRIOR

    def value(weights) -> float:
        seen, total = 0, -PULL / 2 * sum((one - other) ** 2 for one, other in zip(weights, PRIOR, strict=True))
        for stands in recorded("dual").blocks:
            for first, stand in enumerate(stands):
                coming = stands[first : first + AHEAD + 1]
                picks = [{fill.row for fill in picks_between(a.state, b.state)} for a, b in pairwise(coming)]
                fresh = {fill.row for fill in picks_between(stand.before, stand.state)}
                forecast = stand.forecast.with_memory(PickModel(), fresh)
                for features, picked in forecast.observed(picks, [each.step for each in coming[:-1]]):
                    total += log(PickModel(weights).odds(features)[picked])
                    seen += 1
        assert seen == count
        return total

    best = value(weights)
    assert best > value(PRIOR)
    for place, name in enumerate(weights._fields):
        for change in (-0.05, 0.05):
            assert value(weights._replace(**{name: weights[place] + change})) < best


def test_without_a_choice_there_is_nothing_to_fit():
    settings = GenerationSettings(gen_length=4, block_length=2)
    with pytest.raises(ValueError, match="nothing to fit: no step has a choice"):
        fit_prior([record_trajectory(restless_model("llada"), PROMPT, settings, SPECIAL, depth=3)])
