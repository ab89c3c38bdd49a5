"""The stepping rule: tokens, confidences, total order, number of picks."""

import pytest
import torch

from ssd.decoding.canvas import block_at
from ssd.decoding.rule import SteppingRule
from ssd.decoding.settings import GenerationSettings, SpecialTokens

SPECIAL = SpecialTokens(mask_id=9, end_ids=(0, 1))
ROWS, VOCABULARY = 6, 10


def make_rule(first_row_first=False, **values):
    settings = GenerationSettings(gen_length=ROWS, block_length=ROWS, **values)
    return SteppingRule(settings, SPECIAL, [3, 4], first_row_first), block_at(0, 2, 2 + ROWS, settings, 0)


def random_logits(nodes=3, seed=0):
    return torch.randn(nodes, ROWS, VOCABULARY, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 3


@pytest.mark.parametrize("eos", ["keep", "suppress_logits", "suppress_confidence"])
@pytest.mark.parametrize("ranking", ["low_confidence", "maskgit_plus", "topk_margin", "entropy"])
def test_scores_are_their_definitions(ranking, eos):
    rule, _ = make_rule(ranking=ranking, eos=eos)
    logits = random_logits()
    scores = rule.score(logits.clone(), runner_up=True)
    for node in range(3):
        for row in range(ROWS):
            values = logits[node, row].clone()
            values[9] = -torch.inf
            if eos == "suppress_logits":
                values[0] = -torch.inf
            token = values.argmax()
            if eos == "suppress_confidence":
                values[[0, 1]] = -torch.inf
            p = values.softmax(dim=0)
            ordered = p.sort(descending=True).values
            expected = {
                "topk_margin": ordered[0] - ordered[1],
                "entropy": sum(x * torch.log(x + 1e-10) for x in p),
            }.get(ranking, p[token])
            if eos == "suppress_confidence" and token in (0, 1):
                expected = torch.tensor(torch.finfo(torch.float64).min, dtype=torch.float64)
            assert scores.token[node, row] == token
            torch.testing.assert_close(scores.confidence[node, row], expected, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(scores.probability[node, row], p[token], rtol=1e-12, atol=1e-12)
            assert scores.other_token[node, row] != token


def test_the_mask_token_is_never_predicted():
    rule, _ = make_rule()
    logits = random_logits()
    logits[..., 9] = 100.0
    assert (rule.score(logits).token != 9).all()


def test_ties_go_to_the_lower_token_and_the_lower_position():
    rule, block = make_rule()
    logits = torch.zeros(1, ROWS, VOCABULARY)
    logits[0, :, 4] = logits[0, :, 7] = 1.0
    logits[0, 5, 3] = 9.0
    scores = rule.score(logits)
    assert scores.token[0].tolist() == [4, 4, 4, 4, 4, 3]
    ranking = rule.rank(scores, torch.tensor([[True, False, True, True, True, True]]), torch.tensor([0]), block)
    assert ranking.order[0].tolist() == [5, 0, 2, 3, 4, 1]
    assert ranking.rows(0) == [5]


def test_confidence_in_the_logits_own_dtype_ties_where_float64_does_not():
    logits = torch.zeros(1, ROWS, VOCABULARY, dtype=torch.bfloat16)
    logits[0, :, 2] = torch.tensor([9.0, 9.5, 10.0, 10.5, 11.0, 11.5], dtype=torch.bfloat16)
    masked, step = torch.ones(1, ROWS, dtype=torch.bool), torch.tensor([0])
    orders = {}
    for dtype in ("float64", "logits"):
        rule, block = make_rule(confidence_dtype=dtype)
        orders[dtype] = rule.rank(rule.score(logits.clone()), masked, step, block).order[0].tolist()
    assert orders == {"float64": [5, 4, 3, 2, 1, 0], "logits": [0, 1, 2, 3, 4, 5]}


def test_counts_follow_the_schedule_and_never_exceed_the_masks():
    rule, block = make_rule(steps=4)
    scores = rule.score(random_logits(4))
    masked = torch.ones(4, ROWS, dtype=torch.bool)
    masked[3, 1:] = False
    ranking = rule.rank(scores, masked, torch.tensor([0, 1, 2, 0]), block)
    assert ranking.count.tolist() == [2, 2, 1, 1]


def test_applying_a_ranking_fills_exactly_its_picks():
    rule, block = make_rule(steps=3)
    scores = rule.score(random_logits(2))
    states = torch.full((2, ROWS), 9)
    states[1, 2] = 5
    ranking = rule.rank(scores, states == 9, torch.tensor([0, 1]), block)
    filled = ranking.apply(states, scores.token)
    for node in range(2):
        expected = states[node].clone()
        for row in ranking.rows(node):
            expected[row] = scores.token[node, row]
        assert torch.equal(filled[node], expected)
        assert (filled[node] != states[node]).sum() == 2


def test_random_order_depends_on_step_and_position_only():
    rule, block = make_rule(ranking="random")
    masked = torch.ones(1, ROWS, dtype=torch.bool)
    order = [
        rule.rank(rule.score(random_logits(1, seed)), masked, torch.tensor([step]), block).order[0].tolist()
        for seed, step in ((0, 0), (1, 0), (0, 1))
    ]
    assert order[0] == order[1] != order[2]


def test_origin_transfers_each_mask_with_the_rate_of_its_step():
    """1 - t[i+1]/t[i] per mask, everything at the last step: counted over many seeds."""
    counts = torch.zeros(3)
    masked = torch.ones(3, ROWS, dtype=torch.bool)
    for seed in range(2000):
        rule, block = make_rule(ranking="origin", steps=3, seed=seed)
        scores = rule.score(random_logits(3))
        counts += rule.rank(scores, masked, torch.tensor([0, 1, 2]), block).count
    times = torch.linspace(1, 1e-3, 4)
    rates = 1 - times[1:] / times[:-1]
    rates[-1] = 1
    torch.testing.assert_close(counts / 2000 / ROWS, rates, rtol=0, atol=0.02)


def test_the_block_start_comes_first_where_only_the_refresh_predicts_it():
    rule, block = make_rule(first_row_first=True)
    scores = rule.score(random_logits(1))
    masked = torch.ones(1, ROWS, dtype=torch.bool)
    assert rule.rank(scores, masked, torch.tensor([0]), block).rows(0) == [0]
    masked[0, 0] = False
    ranking = rule.rank(scores, masked, torch.tensor([1]), block)
    assert ranking.order[0, -1] == 0, "a committed row is never ranked among the masked"


def test_logits_that_are_not_finite_stop_the_run():
    rule, _ = make_rule()
    with pytest.raises(FloatingPointError, match=r"not finite; try runtime\.dtype=float32"):
        rule.score(torch.full((1, ROWS, VOCABULARY), torch.nan))
