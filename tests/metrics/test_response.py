"""What a sample line says of one side, against a trace written by hand."""

import json

import pytest

from baselines.freedave import FreeDave
from ssd.decoding.decoder import Decoded
from ssd.decoding.trace import Event, Pick, Trace
from ssd.metrics import response as samples
from ssd.results.records import Timed
from ssd.tasks.task import Verdict
from tests.block_cases import case


def picks(*positions: int) -> tuple[Pick, ...]:
    return tuple(Pick(position, 10 + position, 0.5) for position in positions)


@pytest.fixture
def decoded() -> Decoded:
    """Nine response positions, three blocks: two decoded, the third filled by the stop rule."""
    events = [
        Event("refresh", 0, 0, nodes=1, rows=20, picks=picks(1)),
        Event("verify", 0, 1, nodes=4, rows=3, picks=picks(0, 2), drafted=(2, 1), accepted=(1, 0)),
        Event("refresh", 1, 0, nodes=1, rows=20, picks=picks(3)),
        Event("verifier", 1, 0, nodes=1, rows=100, picks=()),
        Event("verify", 1, 1, nodes=2, rows=3, picks=picks(4), drafted=(1,), accepted=(0,)),
        Event("decode", 1, 2, nodes=1, rows=3, picks=picks(5)),
    ]
    return Decoded([11, 10, 12, 13, 0, 15, 0, 0, 0], Trace(events, filled=3))


def side(decoded: Decoded, end_ids=(0, 4)) -> dict:
    timed = Timed(decoded, latency_s=0.25, time_s=0.2, verifier_s=0.125, model_s=0.0625, forwards=1.5)
    return samples.side(timed, "text", Verdict("42", True, "passed"), end_ids, 0.15, block_length=3)


def test_every_figure_by_hand(decoded):
    line = side(decoded)
    assert line == {
        "response_ids": [11, 10, 12, 13, 0, 15, 0, 0, 0],
        "text": "text",
        "answer": "42",
        "correct": True,
        "correct_strict": None,
        "reason": "passed",
        "latency_s": 0.25,
        "time_s": 0.2,
        "verifier_s": 0.125,
        "model_s": 0.0625,
        "predicted_s": 0.15,
        "forwards": 1.5,
        "nfe": {"refresh": 2, "decode": 1, "verify": 2, "verifier": 1},
        "node_evaluations": 1 + 4 + 1 + 2 + 1,
        "token_rows": 20 + 4 * 3 + 20 + 2 * 3 + 3,
        "tokens_total": 6,
        "tokens_useful": 4,
        "tokens_cut": 0,
        "acceptance_lengths": [2, 1],
        "drafted_by_depth": [3, 1],
        "accepted_by_depth": [1, 0],
        # Position 1, then 0 and 2 in turn: 1 before 0 is one of three pairs; in the second block 3, 4, 5.
        "blocks_filled_by_refresh": 0,
        "order_correlation": {"within_blocks": (5 - 1) / 6, "response": (14 - 1) / 15},
    }
    assert json.loads(json.dumps(line)) == line


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize(("prompt", "cut"), [(4, 1), (5, 0), (6, 3), (7, 2)])
def test_tokens_behind_the_cut_are_counted_apart(prompt, cut, eager):
    """Seven response positions and a prompt of any offset on a grid of 4: decoding goes on to the grid's end."""
    made = case("sdar", 4, prompt, 7)
    decoded = made.decode(FreeDave(4, "exact_match", eager=eager))
    assert [pick.position for pick in decoded.trace.picks if pick.position >= 7] != [] or not cut
    line = side(decoded)
    assert line["tokens_cut"] == cut == len(decoded.trace.picks) - 7
    assert line["tokens_total"] == 7
    without_drafts = sum(
        pick.position < 7 for event in decoded.trace.events if not event.drafted for pick in event.picks
    )
    assert sum(line["acceptance_lengths"]) + without_drafts == 7, "no forward is credited with what is cut"


def test_a_token_behind_the_cut_that_is_taken_back_counts_once():
    events = [
        Event("decode", 0, 0, 1, 4, picks(0, 2)),
        Event("decode", 0, 1, 1, 4, picks(1), revoked=(2,)),
        Event("decode", 0, 2, 1, 4, picks(2, 3)),
    ]
    assert Trace(events).tokens_cut(2) == 2


def test_blocks_without_a_forward_after_their_refresh_are_counted():
    kinds = [("refresh", 0), ("refresh", 1), ("decode", 1), ("refresh", 2)]
    events = [Event(kind, block, 0, nodes=1, rows=4, picks=picks(block)) for kind, block in kinds]
    assert samples.blocks_filled_by_refresh(Trace(events)) == 2
    assert samples.blocks_filled_by_refresh(Trace([events[0]._replace(kind="decode")])) == 0, "without a cache"
    drafted = Event("verify", events[0].block, 1, 2, 3, (), (1,), (1,), stored=4)
    assert samples.blocks_filled_by_refresh(Trace([events[0], drafted])) == 0, "its nodes differ in their rows"


@pytest.mark.parametrize(("ends", "useful"), [((0,), 4), ((13, 0), 3), ((11,), 0), ((99,), 9), ((15, 4), 5)])
def test_useful_tokens_are_those_before_the_first_end_token(decoded, ends, useful):
    assert side(decoded, ends)["tokens_useful"] == useful


def test_a_verifiers_forwards_are_counted_apart(decoded):
    assert samples.total_nfe(side(decoded)) == decoded.trace.nfe == 5


@pytest.mark.parametrize(
    ("rows", "sums"), [([], []), ([()], []), ([(), (1,), (2, 3, 4), (5, 6)], [8, 9, 4]), ([[1, 1], [0, 0]], [1, 1])]
)
def test_column_sums_of_ragged_rows(rows, sums):
    assert samples.sum_columns(rows) == sums


def test_traces_are_plain_data(decoded):
    lines = samples.trace_to_json(decoded.trace)
    assert json.loads(json.dumps(lines))[1] == {
        "kind": "verify",
        "block": 0,
        "step": 1,
        "nodes": 4,
        "rows": 3,
        "picks": [[0, 10, 0.5], [2, 12, 0.5]],
        "drafted": [2, 1],
        "accepted": [1, 0],
        "revoked": [],
        "stored": 0,
        "logit_rows": 0,
        "draft": [],
    }
