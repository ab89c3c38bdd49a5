"""Parallel commit rules against brute force, and how the stepping rule uses them: within a block and across several."""

import math
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.rules.eb import EntropyBounded
from baselines.rules.factor import Factor
from baselines.rules.threshold import Threshold
from ssd.decoding.canvas import block_at
from ssd.decoding.commit_rule import Signals
from ssd.decoding.noise import CounterNoise
from ssd.decoding.ranking import Ranking
from ssd.decoding.rule import SteppingRule
from ssd.decoding.scores import Scores
from ssd.decoding.settings import GenerationSettings, RankingName, SpecialTokens
from tests.effort import examples

SPECIAL = SpecialTokens(mask_id=9, end_ids=(0, 1))
PROMPT, VOCABULARY = [3, 4], 10
MASK, TAKEN = SPECIAL.mask_id, 5
RANKINGS = [ranking for ranking in get_args(RankingName) if ranking != "pc"]  # it needs a file
COMMITS = (None, Threshold(0.3), Factor(1.5))


@st.composite
def nodes_at_the_limits(draw):
    """A rule, and probabilities of several nodes: unmasked rows, ties, and what a step asks or a hair less."""
    kind = draw(st.sampled_from([Threshold, Factor]))
    rule = kind(draw(st.one_of(st.sampled_from([0.5, 0.9, 1.0, 1.5]), st.floats(0.01, 2))))
    limits = [rule.threshold] if kind is Threshold else [1 - rule.factor / (n + 1) for n in range(1, 8)]
    limits = [limit for limit in limits if 0 < limit <= 1] or [0.5]
    probability = st.one_of(
        st.sampled_from([-math.inf, 0.0, 0.5, 1.0]),
        st.sampled_from(limits),
        st.sampled_from(limits).map(lambda limit: math.nextafter(limit, 0)),
        st.floats(min(limits), 1),
    )
    row = st.lists(probability, min_size=7, max_size=7)
    return rule, draw(st.lists(row, min_size=1, max_size=3))


def in_words(rule: Threshold | Factor, probabilities: list[float]) -> list[bool]:
    """Which rows pass, as the rules are told: row by row, and from the most probable down until one fails."""
    if isinstance(rule, Threshold):
        return [probability >= rule.threshold for probability in probabilities]
    passing = [False] * len(probabilities)
    for n, row in enumerate(sorted(range(len(probabilities)), key=lambda row: (-probabilities[row], row)), start=1):
        if probabilities[row] < 1 - rule.factor / (n + 1):
            break
        passing[row] = True
    return passing


def passing_rows(rule: Threshold | Factor, probabilities: list[list[float]]) -> list[list[bool]]:
    """Which rows pass; those without a probability are no candidates."""
    probability = torch.tensor(probabilities, dtype=torch.float64)
    order = probability.argsort(dim=1, descending=True, stable=True)
    none = torch.full_like(probability, math.inf)
    return rule.passes(Signals(probability, none, none), ~probability.isneginf(), order).tolist()


@settings(deadline=None, derandomize=True)
@given(nodes_at_the_limits())
def test_what_passes_is_what_the_words_say(case):
    rule, probabilities = case
    assert passing_rows(rule, probabilities) == [in_words(rule, node) for node in probabilities]


@pytest.mark.parametrize(
    ("probabilities", "passing"),
    [
        ([0.5, 0.66, 0.75, 0.8], [False, False, True, True]),
        ([0.8, 0.8, 0.8, 0.8], [True, True, True, True]),
        ([0.8, 0.7, 0.7, 0.9], [True, False, False, True]),
        ([0.3, 0.49, 0.4, 0.2], [False, False, False, False]),
        ([0.9, 1 - 1 / 3, -math.inf, 0.66666], [True, True, False, False]),
    ],
)
def test_factor_1_asks_a_half_two_thirds_three_quarters_four_fifths(probabilities, passing):
    assert passing_rows(Factor(1.0), [probabilities]) == [passing]


def ranked(
    generation, commit, states, logits, step, first_block=0, blocks=1, first_row_first=False
) -> tuple[Ranking, Scores]:
    """Picks of states [nodes, span] that begin with block `first_block`, from logits [nodes, span, vocabulary]."""
    length = generation.block_length
    start, stop = len(PROMPT) + first_block * length, len(PROMPT) + generation.gen_length
    block = block_at(first_block, start, stop, generation, 0, blocks - 1)
    rule = SteppingRule(generation, SPECIAL, PROMPT, first_row_first, commit)
    scores = rule.score(logits.clone(), states == MASK, torch.tensor(step), block, block.start, runner_up=False)
    ranking = rule.rank(scores, states == MASK, block)
    return ranking, scores


def random_logits(nodes, rows, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(nodes, rows, VOCABULARY, dtype=torch.float64, generator=generator) * 3


@pytest.mark.parametrize("eos", ["keep", "suppress_confidence"])
@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("commit", [Threshold(0.6), Factor(1.2), Threshold(1.1)], ids=str)
@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_step_commits_the_first_pick_and_all_that_passes(ranking, commit, temperature, eos):
    """Against the words: the ranking's first pick, then what passes, then the rest, each in the ranking's order."""
    generation = GenerationSettings(gen_length=7, block_length=7, ranking=ranking, temperature=temperature, eos=eos)
    counts = set()
    for seed in range(8):
        states = torch.where(torch.rand(3, 7, generator=torch.Generator().manual_seed(seed)) < 0.6, MASK, TAKEN)
        found, scores = ranked(generation, commit, states, random_logits(3, 7, seed), [0, 1, 2])
        for node in range(3):
            masked = [row for row in range(7) if states[node, row] == MASK]
            decided = 7 - len(masked)
            assert (found.step[node], found.masks[node]) == (decided, len(masked)), "a step is named by what is decided"
            if not masked:
                continue
            key = scores.confidence[node]
            if ranking in ("random", "origin"):
                noise = CounterNoise(generation.seed, PROMPT)
                key = noise.uniform(torch.tensor(decided), len(PROMPT) + torch.arange(7))
            if ranking == "sequential":
                key = -torch.arange(7)
            order = sorted(masked, key=lambda row: (-key[row], row))
            passes = in_words(commit, torch.where(states[node] == MASK, scores.probability[node], -math.inf).tolist())
            passing = [row for row in order[1:] if passes[row]]
            picks = [order[0], *passing]
            assert found.rows(node) == picks
            assert found.order[node, : len(masked)].tolist() == [*picks, *(row for row in order if row not in picks)]
            assert found.next_step[node] == decided + len(picks)
            filled = found.apply(states, scores.token)[node]
            assert (filled != states[node]).nonzero().flatten().tolist() == sorted(picks)
            counts.add(len(picks))
    assert min(counts) == 1
    assert (max(counts) > 1) == (commit != Threshold(1.1))


def test_an_entropy_bound_of_0_commits_one_row_beside_a_nearly_certain_one():
    """Their entropies are 7e-20 and 0.5. As a sum less its largest term, the small one would be lost."""
    logits = torch.full((1, 2, VOCABULARY), -torch.inf, dtype=torch.float64)
    logits[0, 0, [1, 2]] = torch.tensor([48.0, 0.0], dtype=torch.float64)
    logits[0, 1, [3, 4]] = torch.tensor([1.4, 0.0], dtype=torch.float64)
    states = torch.full((1, 2), MASK)
    for ranking in ("low_confidence", "entropy"):
        generation = GenerationSettings(gen_length=2, block_length=2, ranking=ranking)
        found, scores = ranked(generation, EntropyBounded(0.0), states, logits, [0])
        assert scores.entropy[0].tolist() == pytest.approx([7e-20, 0.5], rel=0.05)
        assert found.rows(0) == [0]
        both, _ = ranked(generation, EntropyBounded(1e-19), states, logits, [0])
        assert both.rows(0) == [0, 1]


@pytest.mark.parametrize("commit", [Threshold(0.01), Factor(9.0)], ids=str)
def test_where_the_refresh_must_commit_the_block_start_it_commits_nothing_else(commit):
    generation = GenerationSettings(gen_length=4, block_length=4)
    states = torch.tensor([[MASK] * 4, [TAKEN, MASK, MASK, MASK]])
    found, _ = ranked(generation, commit, states, random_logits(2, 4, 0), [0, 1], first_row_first=True)
    assert found.rows(0) == [0]
    assert sorted(found.rows(1)) == [1, 2, 3]
    assert found.next_step.tolist() == [1, 4]


@pytest.mark.parametrize("commit", COMMITS, ids=str)
@pytest.mark.parametrize("ranking", RANKINGS)
@settings(max_examples=examples(40), deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 1000),
    finished=st.integers(0, 2),
    blocks=st.integers(1, 3),
    per_block=st.sampled_from([2, 3, 4]),
    steps_done=st.integers(0, 3),
    schedule=st.sampled_from(["uniform", "dream"]),
    temperature=st.sampled_from([0.0, 0.8]),
    early=st.booleans(),
)
def test_a_state_of_several_blocks_is_stepped_as_its_first_unfinished_block_alone(
    ranking, commit, seed, finished, blocks, per_block, steps_done, schedule, temperature, early
):
    """Later blocks are ranked behind and never picked; tokens, noise and steps are those that the block has alone."""
    generation = GenerationSettings(
        gen_length=24, block_length=4, steps=6 * per_block, ranking=ranking, schedule=schedule, temperature=temperature
    )
    blocks, logits = max(blocks, finished + 1), random_logits(1, 12, seed)
    current = slice(4 * finished, 4 * finished + 4)
    states = torch.tensor([[TAKEN] * current.start + [MASK] * (4 * blocks - current.start)])
    step = 0
    for _ in range(steps_done):
        alone, scores = ranked(generation, commit, states[:, current], logits[:, current], [step], 1 + finished)
        filled = alone.apply(states[:, current], scores.token)
        if MASK not in filled:
            break
        states[:, current], step = filled, int(alone.next_step)
    alone, one = ranked(generation, commit, states[:, current], logits[:, current], [step], 1 + finished)
    begun = finished * (4 if commit else per_block) + step
    if early and not step:
        begun = 0  # steps that earlier blocks did not need are passed over
    spanning, several = ranked(generation, commit, states, logits[:, : 4 * blocks], [begun], 1, blocks)
    assert spanning.rows(0) == [current.start + row for row in alone.rows(0)]
    assert torch.equal(several.token[:, current], one.token)
    assert int(spanning.next_step) - int(alone.next_step) == finished * (4 if commit else per_block)
    ahead = spanning.order[0, : int(spanning.masks)]
    assert (states[0, ahead] == MASK).all()
    assert (ahead // 4).tolist() == sorted((ahead // 4).tolist()), "no row comes before those of an earlier block"
