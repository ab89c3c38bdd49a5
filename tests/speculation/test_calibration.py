"""Calibration: what is written down of a trajectory, and which nodes are chosen from it."""

import random
from itertools import pairwise

import pytest
import torch

from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.speculation.calibration import accepted, choose, record
from ssd.speculation.decoder import SelfSpeculative
from ssd.speculation.draft_graph import DraftGraph, GraphNode, RankedPick, Steps
from tests.effort import LONG
from tests.models import random_model
from tests.restless import restless_model
from tests.speculation.test_lossless import SPECIAL

PROMPT = [1, 2, 3]


def path(*positions: int) -> Steps:
    """One pick a step, each the likeliest token of a position."""
    return tuple((RankedPick(position, 0),) for position in positions)


def random_paths(seed: int) -> list[Steps]:
    generator = random.Random(seed)
    return [path(*generator.sample(range(4), generator.randrange(5))) for _ in range(40)]


def test_nodes_are_chosen_as_by_hand():
    followed = [path(0, 1, 2)] * 5 + [path(1, 0, 2)] * 4 + [path(2)] * 3 + [path()] * 8
    nodes = choose(followed, 9)
    # {0} takes five states a step further, {1} four; then {0, 1} the five. Now {1} takes four states two steps further,
    # for {0, 1} is already there, and then {0, 1, 2} all nine.
    assert [node.steps for node in nodes] == [path(0), path(0, 1), path(1), path(0, 1, 2), path(2)]
    assert [node.reached for node in nodes] == [5 / 20, 5 / 20, 4 / 20, 9 / 20, 3 / 20]
    assert accepted(followed, nodes) == (3 * 5 + 3 * 4 + 3) / 20


def test_picks_stand_in_the_order_most_often_seen():
    followed = [path(0)] * 9 + [path(1)] * 9 + [path(0, 1)] * 2 + [path(1, 0)] * 3
    assert [node.steps for node in choose(followed, 3)] == [path(1), path(0), path(1, 0)]
    assert choose([*followed, path(0, 1)], 3)[2].steps == path(0, 1), "a tie goes to the lower ranks"


def test_a_step_of_several_picks_is_one_step():
    pair, single = (RankedPick(0, 0), RankedPick(2, 1)), (RankedPick(1, 0),)
    nodes = choose([(pair, single), (single, pair), (pair,)], 9)
    assert [node.steps for node in nodes] == [(pair,), (single,), (pair, single)]


@pytest.mark.parametrize("seed", range(10))
def test_every_node_is_the_best_that_can_be_added(seed):
    """Brute force over all states, and: more nodes never hurt, and the first ones are what fewer would have been."""
    followed = random_paths(seed)
    nodes = choose(followed, 12)
    states = {frozenset(pick for step in steps[:end] for pick in step) for steps in followed for end in range(1, 5)}
    for count in range(len(nodes)):
        best = max(accepted(followed, [*nodes[:count], GraphNode((tuple(state),), 0)]) for state in states)
        assert accepted(followed, nodes[: count + 1]) == best > accepted(followed, nodes[:count])
        assert choose(followed, count) == nodes[:count]


@pytest.fixture
def stubborn_model() -> MaskedDiffusionModel:
    """Without attention and MLP the logits of a masked position do not depend on what else is filled in."""
    model = random_model("llada", seed=0)
    for layer in model.transformer.layers:
        layer.attention_out.weight.zero_()
        layer.down.weight.zero_()
    return model


def test_a_model_that_never_changes_its_mind_goes_down_its_ranking(stubborn_model):
    generation = GenerationSettings(gen_length=16, block_length=8, cache="none")
    followed = record(stubborn_model, PROMPT, generation, SPECIAL, depth=3)
    # After the opening forward seven picks are left; a draft leaves at least one of them.
    assert followed == [path(*range(min(3, left))) for left in range(6, -1, -1)] * 2
    assert [node.steps for node in choose(followed, 9)] == [path(*range(length)) for length in (1, 2, 3)]


@pytest.mark.parametrize("ranking", ["low_confidence", "maskgit_plus", "random", "origin"])
def test_what_is_foreseen_has_the_lowest_ranks_also_where_it_is_random(ranking, stubborn_model):
    generation = GenerationSettings(
        gen_length=32, block_length=16, steps=20, cache="none", ranking=ranking, temperature=2.0
    )
    followed = record(stubborn_model, PROMPT, generation, SPECIAL, depth=10)
    for steps in followed:
        picks = [pick for step in steps for pick in step]
        assert {pick.token for pick in picks} <= {0}
        for end in range(len(steps)):
            positions = {pick.position for step in steps[: end + 1] for pick in step}
            assert positions == set(range(len(positions)))
    trace = Stepwise().decode(stubborn_model, PROMPT, generation, SPECIAL).trace
    assert len(followed[0]) == [event.block for event in trace.events].count(0) - 2, "all but the first and the last"


@pytest.mark.parametrize("cache", ["none", "dual"])
def test_ranks_are_those_of_the_logits_in_hand(cache):
    """Brute force: at every state, sort what the forward before it said, and look where the true picks stand."""
    model = restless_model("llada", 1)
    generation = GenerationSettings(gen_length=24, block_length=12, cache=cache)
    scored = []

    class Spy(Stepwise):
        runner_up = True

        def draft(self, session, current):
            best_two = torch.stack((current.scores.token[0], current.scores.other_token[0]), dim=1)
            scored.append((current.state.tolist(), current.scores.confidence[0].tolist(), best_two.tolist()))
            return super().draft(session, current)

    Spy().decode(model, PROMPT, generation, SPECIAL)
    expected = []
    for block in (scored[:11], scored[11:]):
        for first, (state, confidence, tokens) in enumerate(block):
            ranked = sorted((row for row in range(12) if state[row] == 63), key=lambda row: (-confidence[row], row))
            steps = []
            for (before, *_), (after, *_) in pairwise(block[first : first + 5]):
                (row,) = (row for row in range(12) if before[row] != after[row])
                if after[row] not in tokens[row]:
                    break
                steps.append((RankedPick(ranked.index(row), tokens[row].index(after[row])),))
            expected.append(tuple(steps))
    assert record(model, PROMPT, generation, SPECIAL, depth=4) == expected
    assert {pick.token for steps in expected for (pick,) in steps} == {0, 1}
    assert any(len(steps) < 4 for steps in expected[:7]), "a token without a rank ends what is written down"


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.0, 0.5])
@pytest.mark.parametrize("steps", [None, 12])
@pytest.mark.parametrize("cache", ["none", "prefix", "dual"])
def test_a_calibrated_graph_is_lossless_and_better_than_the_chain(family, cache, steps, temperature, tmp_path):
    model = restless_model(family, 3)
    generation = GenerationSettings(
        gen_length=24, block_length=12, cache=cache, steps=steps, temperature=temperature, top_p=0.9
    )
    prompts = [[*PROMPT, seed] for seed in range(6 if LONG else 2)]
    followed = [steps for prompt in prompts for steps in record(model, prompt, generation, SPECIAL, depth=8)]
    DraftGraph(tuple(choose(followed, 8)), {}).write(tmp_path / "graph.json")
    drafted = SelfSpeculative(builder="spiffy", graph=str(tmp_path / "graph.json"))
    chain = SelfSpeculative(depth=8)
    forwards = {"reference": 0, "chain": 0, "spiffy": 0}
    for prompt in prompts:
        reference = Stepwise().decode(model, prompt, generation, SPECIAL)
        decoded = drafted.decode(model, prompt, generation, SPECIAL)
        assert decoded.response_ids == reference.response_ids
        assert [pick[:2] for pick in decoded.trace.picks] == [pick[:2] for pick in reference.trace.picks]
        forwards["reference"] += reference.trace.nfe
        forwards["spiffy"] += decoded.trace.nfe
        forwards["chain"] += chain.decode(model, prompt, generation, SPECIAL).trace.nfe
    assert forwards["spiffy"] < forwards["chain"] < forwards["reference"]
