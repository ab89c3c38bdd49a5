"""What a trace says was drafted, against what the decoder was seen to do: recorded apart, from outside the loop."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baselines.freedave import FreeDave
from baselines.psd import ParallelSelfSpeculative
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.cache_policy import cache_policy
from ssd.decoding.decoder import Decoded
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import DraftedNode, Event, Pick, Trace
from ssd.metrics.response import trace_to_json
from ssd.speculation.decoder import SelfSpeculative
from tests.effort import examples
from tests.generations import generations
from tests.graphs import random_graph_file
from tests.models import FAMILIES
from tests.restless import restless_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
POSITION_RANKINGS = ("topk_margin", "entropy")
COSTS = [[1, 1.0], [17, 1.5]]


@st.composite
def decoders(draw: st.DrawFn) -> BlockDecoder:
    """Every decoder that drafts, in all its ways to."""
    kind = draw(st.sampled_from(["chain", "kary", "best_first", "spiffy", "auto", "freedave", "psd"]))
    if kind == "freedave":
        eager, threshold = draw(st.booleans()), draw(st.sampled_from([None, None, 0.3]))
        return FreeDave(draw(st.integers(1, 8)), draw(st.sampled_from(["subset", "exact_match"])), eager, threshold)
    if kind == "spiffy":
        return SelfSpeculative(draw(st.integers(1, 9)), builder="spiffy", graph=draw(graphs))
    options = {"alternatives": draw(st.booleans()), "budget": draw(st.sampled_from([None, 3, 9]))}
    depth, width = draw(st.integers(1, 9)), draw(st.integers(1, 4))
    if kind == "auto":
        return SelfSpeculative("auto", builder="best_first", costs=COSTS, **options)
    if kind == "psd":
        rule = draw(st.sampled_from(["threshold", "factor"]))
        return ParallelSelfSpeculative(rule, 0.3, depth=depth, width=width, builder="best_first", **options)
    if kind == "chain":
        return SelfSpeculative(depth, budget=options["budget"])
    return SelfSpeculative(depth, width, builder=kind, **options)


graphs = st.integers(0, 99).map(random_graph_file)


@dataclass
class Seen:
    """One call of `draft`: cells (row, token) of each node, and the confidence of each of them in the current scores.

    None where a token is sampled anew for a later step.
    """

    start: int
    cells: list[dict[int, int]]
    confidences: list[dict[int, float | None]]


def watch(decoder: BlockDecoder) -> list[Seen]:
    """What the decoder drafts, call by call, without those that are the current state alone."""
    seen: list[Seen] = []
    draft: Callable = decoder.draft

    def look(session, current):
        made = draft(session, current)
        scores, ranking, masks = current.scores, session.rule.settings.ranking, current.state == SPECIAL.mask_id
        cells, confidences = [], []
        for state in made.states[1:]:
            rows = [row for row in range(len(state)) if masks[row] and state[row] != SPECIAL.mask_id]
            assert torch.equal(state[~masks], current.state[~masks]), "a draft never changes what is committed"
            cells.append({row: int(state[row]) for row in rows})
            confidences.append({row: _confidence(scores, ranking, row, int(state[row])) for row in rows})
        start = current.block.start - session.canvas.prompt_length
        if made.nodes > 1:
            seen.append(Seen(start, cells, confidences))
        return made

    decoder.draft = look
    return seen


def _confidence(scores, ranking, row, token) -> float | None:
    if token == int(scores.token[0, row]) or ranking in POSITION_RANKINGS:
        return float(scores.confidence[0, row])
    return float(scores.other_probability[0, row]) if token == int(scores.other_token[0, row]) else None


def watched(decoder: BlockDecoder, family, seed, prompt, generation) -> tuple[Decoded, list[Seen]]:
    seen = watch(decoder)
    return decoder.decode(restless_model(family, seed), prompt, generation, SPECIAL), seen


@pytest.mark.slow
@settings(max_examples=examples(200, 2), deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    family=st.sampled_from(FAMILIES),
    seed=st.integers(0, 50),
    prompt=st.lists(st.integers(0, 60), min_size=1, max_size=9),
    generation=generations(),
    decoder=decoders(),
)
def test_drafts_are_those_that_were_made(family, seed, prompt, generation, decoder):
    eager = isinstance(decoder, FreeDave) and decoder.eager
    if eager and generation.stop != "none" and not cache_policy(generation).verifies_later_blocks:
        return
    decoded, seen = watched(decoder, family, seed, prompt, generation)
    calls = iter(seen)
    for at, event in enumerate(decoded.trace.events):
        nodes = decoded.trace.drafted_by(at)
        assert Counter(node.depth for node in nodes) == Counter(dict(enumerate(event.drafted, start=1)))
        assert len(nodes) == event.nodes - 1
        check_accepted(nodes, [pick[:2] for pick in event.picks], event.accepted)
        if nodes:
            check_made(nodes, next(calls), generation)
    assert next(calls, None) is None


def check_accepted(nodes: list[DraftedNode], committed: list[tuple[int, int]], by_depth: tuple[int, ...]) -> None:
    """Accepted nodes grow one out of the other, and hold exactly what the event committed first."""
    path = [node for node in nodes if node.accepted]
    for before, after in pairwise(path):
        assert set(before.picks) < set(after.picks)
        assert before.depth < after.depth
    deepest = path[-1].picks if path else ()
    assert sorted(committed[: len(deepest)]) == sorted(deepest)
    for node in path:
        assert sorted(committed[: len(node.picks)]) == sorted(node.picks)
    assert [sum(node.depth == depth for node in path) for depth in range(1, len(by_depth) + 1)] == list(by_depth)


def check_made(nodes: list[DraftedNode], made: Seen, generation: GenerationSettings) -> None:
    """The very cells that `draft` filled in, at response positions, with the least of their confidences."""
    for node, cells, confidences in zip(nodes, made.cells, made.confidences, strict=True):
        assert dict(node.picks) == {made.start + row: token for row, token in cells.items()}
        assert all(0 <= position < generation.gen_length for position, _ in node.picks)
        if None not in confidences.values():
            assert node.confidence == min(confidences.values())


def test_a_second_best_token_has_its_own_confidence():
    generation = GenerationSettings(gen_length=16, block_length=16)
    decoder = SelfSpeculative(3, 4, 9, "best_first", alternatives=True)
    decoded, seen = watched(decoder, "llada", 0, [1, 2, 3], generation)
    drafts = [decoded.trace.drafted_by(at) for at in decoded.trace.drafts]
    alone = [
        (node.confidence, *confidences.values())
        for nodes, made in zip(drafts, seen, strict=True)
        for node, confidences in zip(nodes, made.confidences, strict=True)
        if len(node.picks) == 1
    ]
    assert all(found == expected for found, expected in alone)
    rivals = [{node.picks[0] for node in nodes if len(node.picks) == 1} for nodes in drafts]
    assert any(len(picks) > len(dict(picks)) for picks in rivals), "no two tokens of a position were ever drafted"


def test_stored_drafts_are_plain_data_and_hold_no_scores():
    decoder = SelfSpeculative(4, budget=5)
    generation = GenerationSettings(gen_length=16, block_length=8, cache="dual")
    trace = decoder.decode(restless_model("llada"), [1, 2, 3], generation, SPECIAL).trace
    lines = trace_to_json(trace)
    assert [len(line["draft"]) for line in lines] == [event.nodes - 1 for event in trace.events]
    first = next(line["draft"] for line in lines if line["draft"])
    assert [node["depth"] for node in first] == list(range(1, len(first) + 1))
    assert [len(node["picks"]) for node in first] == list(range(1, len(first) + 1))
    assert all(set(node) == {"depth", "picks", "confidence", "accepted"} for node in first)
    for record in trace.drafts.values():
        assert record.confidence.untyped_storage().nbytes() == 8 * generation.block_length


def test_events_are_made_when_somebody_asks_and_once():
    made = []

    def make(position: int) -> Event:
        made.append(position)
        return Event("decode", 0, position, 1, 8, (Pick(position, 5, 0.5),))

    trace = Trace()
    for position in range(3):
        trace.note(lambda position=position: make(position))
    assert (trace.forwards, made) == (3, [])
    assert [pick.position for pick in trace.picks] == trace.acceptance_lengths(9) + made == [0, 1, 2]
    assert trace == Trace(trace.events)
    assert trace != Trace(trace.events[:2])
    assert trace != Trace(trace.events, filled=1)
    assert (trace.forwards, made) == (3, [0, 1, 2])


@pytest.mark.parametrize("decoder", [SelfSpeculative(depth=3), FreeDave(), ParallelSelfSpeculative()])
def test_events_made_late_tell_of_every_position_once(decoder):
    """The states that they are made from must not have changed since, as the canvas has."""
    generation = GenerationSettings(gen_length=24, block_length=8)
    decoded = decoder.decode(restless_model("dream"), [1, 2, 3], generation, SPECIAL)
    picks = decoded.trace.picks
    assert {pick.position: pick.token for pick in picks} == dict(enumerate(decoded.response_ids))
    assert len(picks) == len(decoded.response_ids)
