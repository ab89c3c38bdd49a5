"""The stepping rule: tokens, confidences, total order, number of picks."""

from dataclasses import replace

import pytest
import torch

from ssd.decoding.canvas import block_at
from ssd.decoding.rule import SteppingRule
from ssd.decoding.scoring import keep_top_k, keep_top_p
from ssd.decoding.settings import GenerationSettings, SpecialTokens

SPECIAL = SpecialTokens(mask_id=9, end_ids=(0, 1))
ROWS, VOCABULARY = 6, 10


def make_rule(first_row_first=False, rows=ROWS, **values):
    settings = GenerationSettings(gen_length=rows, block_length=rows, **values)
    return SteppingRule(settings, SPECIAL, [3, 4], first_row_first), block_at(0, 2, 2 + rows, settings, 0)


def score(rule, block, logits, step=None, masked=None, runner_up=False):
    """Scores of fully masked states before `step`, unless told otherwise."""
    masked = torch.ones(logits.shape[:2], dtype=torch.bool) if masked is None else masked
    step = torch.zeros(len(logits), dtype=torch.int64) if step is None else torch.tensor(step)
    return rule.score(logits, masked, step, block, block.start, runner_up)


def rank(rule, block, logits, masked, step=None):
    return rule.rank(score(rule, block, logits, step, masked), masked, block)


def random_logits(nodes=3, seed=0):
    return torch.randn(nodes, ROWS, VOCABULARY, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 3


@pytest.mark.parametrize("eos", ["keep", "suppress_logits", "suppress_confidence"])
@pytest.mark.parametrize("ranking", ["low_confidence", "maskgit_plus", "topk_margin", "entropy"])
def test_scores_are_their_definitions(ranking, eos):
    rule, block = make_rule(ranking=ranking, eos=eos)
    logits = random_logits()
    scores = score(rule, block, logits.clone(), runner_up=True)
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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("ranking", ["low_confidence", "topk_margin", "entropy"])
def test_confidences_of_sure_logits_are_numbers_in_their_own_16_bits(ranking, dtype):
    rule, block = make_rule(ranking=ranking, confidence_dtype="logits")
    confidence = score(rule, block, (20 * random_logits()).to(dtype)).confidence
    exact, _ = make_rule(ranking=ranking)
    expected = score(exact, block, (20 * random_logits()).to(dtype)).confidence
    torch.testing.assert_close(confidence, expected, rtol=0.02, atol=0.02)


def test_the_mask_token_is_never_predicted():
    rule, block = make_rule()
    logits = random_logits()
    logits[..., 9] = 100.0
    assert (score(rule, block, logits).token != 9).all()


def test_ties_go_to_the_lower_token_and_the_lower_position():
    rule, block = make_rule()
    logits = torch.zeros(1, ROWS, VOCABULARY)
    logits[0, :, 4] = logits[0, :, 7] = 1.0
    logits[0, 5, 3] = 9.0
    assert score(rule, block, logits.clone()).token[0].tolist() == [4, 4, 4, 4, 4, 3]
    ranking = rank(rule, block, logits, torch.tensor([[True, False, True, True, True, True]]))
    assert ranking.order[0].tolist() == [5, 0, 2, 3, 4, 1]
    assert ranking.rows(0) == [5]


def test_confidence_in_the_logits_own_dtype_ties_where_float64_does_not():
    logits = torch.zeros(1, ROWS, VOCABULARY, dtype=torch.bfloat16)
    logits[0, :, 2] = torch.tensor([9.0, 9.5, 10.0, 10.5, 11.0, 11.5], dtype=torch.bfloat16)
    masked = torch.ones(1, ROWS, dtype=torch.bool)
    orders = {}
    for dtype in ("float64", "logits"):
        rule, block = make_rule(confidence_dtype=dtype)
        orders[dtype] = rank(rule, block, logits.clone(), masked).order[0].tolist()
    assert orders == {"float64": [5, 4, 3, 2, 1, 0], "logits": [0, 1, 2, 3, 4, 5]}


def test_counts_follow_the_schedule_and_never_exceed_the_masks():
    rule, block = make_rule(steps=4)
    masked = torch.ones(4, ROWS, dtype=torch.bool)
    masked[3, 1:] = False
    ranking = rank(rule, block, random_logits(4), masked, [0, 1, 2, 0])
    assert ranking.count.tolist() == [2, 2, 1, 1]


def test_applying_a_ranking_fills_exactly_its_picks():
    rule, block = make_rule(steps=3)
    states = torch.full((2, ROWS), 9)
    states[1, 2] = 5
    scores = score(rule, block, random_logits(2), [0, 1], states == 9)
    ranking = rule.rank(scores, states == 9, block)
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
        rank(rule, block, random_logits(1, seed), masked, [step]).order[0].tolist()
        for seed, step in ((0, 0), (1, 0), (0, 1))
    ]
    assert order[0] == order[1] != order[2]


def test_origin_transfers_each_mask_with_the_rate_of_its_step():
    """1 - t[i+1]/t[i] per mask, everything at the last step: counted over many positions and some seeds."""
    counts, repeated, seeds = torch.zeros(3), 200, 10
    logits = random_logits(3).repeat(1, repeated, 1)
    for seed in range(seeds):
        rule, block = make_rule(ranking="origin", steps=3, seed=seed, rows=ROWS * repeated)
        scores = replace(score(rule, block, logits.clone()), step=torch.tensor([0, 1, 2]))
        counts += rule.rank(scores, torch.ones(logits.shape[:2], dtype=torch.bool), block).count
    times = torch.linspace(1, 1e-3, 4)
    rates = 1 - times[1:] / times[:-1]
    rates[-1] = 1
    torch.testing.assert_close(counts / seeds / repeated / ROWS, rates, rtol=0, atol=0.02)


def test_the_block_start_comes_first_where_only_the_refresh_predicts_it():
    rule, block = make_rule(first_row_first=True)
    masked = torch.ones(1, ROWS, dtype=torch.bool)
    assert rank(rule, block, random_logits(1), masked).rows(0) == [0]
    masked[0, 0] = False
    ranking = rank(rule, block, random_logits(1), masked, [1])
    assert ranking.order[0, -1] == 0, "a committed row is never ranked among the masked"


def test_logits_that_are_not_finite_stop_the_run():
    rule, block = make_rule()
    with pytest.raises(FloatingPointError, match=r"not finite; try runtime\.dtype=float32"):
        score(rule, block, torch.full((1, ROWS, VOCABULARY), torch.nan))


def test_a_step_that_commits_nothing_is_passed_over():
    """Dream's schedule over 6 masks in 6 steps begins with an empty step; origin may leave any step empty."""
    rule, block = make_rule(schedule="dream")
    scores = score(rule, block, random_logits(2), [0, 1])
    assert scores.step.tolist() == [1, 1]
    rule, block = make_rule(ranking="origin")
    masked = torch.zeros(1, ROWS, dtype=torch.bool)
    masked[0, 3] = True
    step = int(score(rule, block, random_logits(1), [0], masked).step)
    assert rank(rule, block, random_logits(1), masked, [0]).rows(0) == [3]
    assert all(int(score(rule, block, random_logits(1), [s], masked).step) == step for s in range(step + 1))


@pytest.mark.parametrize("ranking", ["low_confidence", "maskgit_plus", "topk_margin", "entropy"])
def test_sampled_tokens_follow_the_tempered_distribution(ranking):
    """Over positions with the same logits, and some seeds, tokens are samples of softmax(logits / T).

    LLaDA's confidence stays untempered.
    """
    temperature, logits, repeated, seeds = 0.7, random_logits(1), 250, 12
    logits[..., 9] = -torch.inf
    counts = torch.zeros(ROWS, VOCABULARY, dtype=torch.float64)
    ones = torch.ones(ROWS * repeated, dtype=torch.float64)
    places, wide = torch.arange(ROWS).repeat(repeated), logits.repeat(1, repeated, 1)
    tempered = (wide / (1 if ranking == "low_confidence" else temperature)).softmax(dim=-1)
    for seed in range(seeds):
        rule, block = make_rule(ranking=ranking, temperature=temperature, seed=seed, rows=ROWS * repeated)
        scores = score(rule, block, wide.clone())
        counts.index_put_((places, scores.token[0]), ones, accumulate=True)
        torch.testing.assert_close(scores.probability[0], tempered[0].gather(1, scores.token[0][:, None])[:, 0])
    expected, samples = (logits[0] / temperature).softmax(dim=-1), repeated * seeds
    assert (counts / samples - expected).abs().max() < 1.92 / samples**0.5  # four standard deviations of a share


def test_a_sample_is_a_function_of_seed_step_and_position():
    rule, block = make_rule(temperature=1.0)
    same = score(rule, block, random_logits(1).expand(4, -1, -1).clone(), [0, 0, 1, 2])
    assert torch.equal(same.token[0], same.token[1])
    assert not torch.equal(same.token[1], same.token[2])
    foreseen = rule.foresee(same.node(0), torch.tensor([1, 2]), block, runner_up=False)
    assert torch.equal(foreseen.token, same.token[2:])
    assert torch.equal(foreseen.confidence, same.confidence[2:])


@pytest.mark.parametrize("temperature", [0.0, 0.7])
@pytest.mark.parametrize("ranking", ["low_confidence", "maskgit_plus"])
@pytest.mark.parametrize(
    ("changes", "possible"), [({}, {9}), ({"top_k": 2}, {2}), ({"eos": "suppress_logits"}, {8}), ({"top_p": 1e-9}, {1})]
)
def test_perturbed_logits_choose_the_token_among_all_that_can_be(changes, possible, ranking, temperature):
    rule, block = make_rule(ranking=ranking, temperature=temperature, **changes)
    logits, step = random_logits(), torch.tensor([0, 1, 2])
    logits[..., 9] = 50.0  # the mask, which is never predicted
    scores = score(rule, block, logits.clone(), step.tolist())
    masked = torch.ones(logits.shape[:2], dtype=torch.bool)
    _, perturbed = rule.perturbed(logits.clone(), masked, scores, block, block.start)
    assert torch.equal(perturbed.argmax(dim=-1), scores.token)
    finite = perturbed.isfinite()
    assert set(finite.sum(dim=-1).flatten().tolist()) == possible
    assert torch.equal(perturbed[finite], logits[finite]) == (temperature == 0)


def test_top_p_and_top_k_leave_only_the_likeliest():
    logits = torch.log(torch.tensor([0.4, 0.3, 0.2, 0.06, 0.04], dtype=torch.float64))
    assert keep_top_p(logits, 0.69).isfinite().tolist() == [True, True, False, False, False]
    assert keep_top_p(logits, 0.71).isfinite().tolist() == [True, True, True, False, False]
    assert keep_top_p(logits, 1e-9).isfinite().tolist() == [True, False, False, False, False]
    assert keep_top_k(logits.flip(0), 2).isfinite().tolist() == [False, False, False, True, True]
    assert keep_top_k(logits, 9).isfinite().all()


def test_top_p_changes_dreams_order_even_at_temperature_zero_and_llada_s_never():
    """A nucleus renormalises Dream's confidences; LLaDA's are those of the plain logits."""
    logits = torch.full((1, ROWS, VOCABULARY), -99.0, dtype=torch.float64)
    logits[0, 0, :3] = torch.tensor([0.55, 0.45, 1e-9], dtype=torch.float64).log()
    logits[0, 1, :4] = torch.tensor([0.5, 0.2, 0.2, 0.1], dtype=torch.float64).log()
    masked = torch.tensor([[True, True, False, False, False, False]])
    first = {}
    for ranking in ("low_confidence", "maskgit_plus"):
        for top_p in (1.0, 0.52, 0.49):  # nuclei of 2 and 4 tokens; 1 and 2; 1 and 1
            rule, block = make_rule(ranking=ranking, top_p=top_p)
            first[ranking, top_p] = rank(rule, block, logits.clone(), masked).rows(0)
    assert [first["low_confidence", top_p] for top_p in (1.0, 0.52, 0.49)] == [[0], [0], [0]]
    assert [first["maskgit_plus", top_p] for top_p in (1.0, 0.52, 0.49)] == [[0], [0], [0]]
    logits[0, [0, 1]] = logits[0, [1, 0]]
    rule, block = make_rule(ranking="maskgit_plus", top_p=0.49)
    assert rank(rule, block, logits.clone(), masked).rows(0) == [0], "both are certain now: the lower position"
    rule, block = make_rule(ranking="maskgit_plus")
    assert rank(rule, block, logits.clone(), masked).rows(0) == [1]


def test_a_nucleus_of_end_tokens_alone_leaves_no_doubtful_numbers():
    """Suppressed, they leave nothing to take a softmax of; such a row must not spoil the others' picks."""
    rule, block = make_rule(ranking="maskgit_plus", eos="suppress_confidence", top_p=0.5)
    logits = random_logits(1)
    logits[0, 2] = -9.0
    logits[0, 2, 0] = 9.0
    scores = score(rule, block, logits)
    assert scores.token[0, 2] == 0
    assert scores.probability[0, 2] == 0
    assert scores.probability.isfinite().all()
