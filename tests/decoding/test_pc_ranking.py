"""PC-Sampler's ranking against its naive form, in its limits, and its file of frequencies."""

import json
import math
from functools import partial

import pytest

from baselines.rules.eb import EntropyBounded
from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.token_frequencies import token_frequencies, write_frequencies
from ssd.speculation.decoder import SelfSpeculative
from tests import naive_rules as naive
from tests.restless import restless_model
from tests.traces import order, steps

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
PC = partial(GenerationSettings, gen_length=12, block_length=6, ranking="pc", cache="none")
COUNTS = {token: 1 + token * token for token in range(0, 60, 2)}


@pytest.fixture
def frequencies(tmp_path) -> str:
    write_frequencies(tmp_path / "counted.json", COUNTS)
    return str(tmp_path / "counted.json")


@pytest.fixture
def even(tmp_path) -> str:
    """A file in which the logarithm of every frequency is -1."""
    counts = {str(token): math.exp(-1) - 1e-9 for token in range(64)}
    (tmp_path / "even.json").write_text(json.dumps({"format": 1, "total": 1, "counts": counts}))
    return str(tmp_path / "even.json")


@pytest.mark.parametrize(("decay", "cap"), [(0.25, 10.0), (0.0, 0.5), (1.0, 10.0)])
def test_it_is_its_naive_form(family, frequencies, decay, cap):
    model, total = restless_model(family, 0), sum(COUNTS.values())

    def begin() -> naive.Step:
        def step(logits: dict[int, list[float]], masked: list[int]) -> naive.Ranked:
            keys = []
            for confidence, position, token in naive.ranked(naive.distributions(logits), masked):
                rarity = -math.log(COUNTS.get(token, 1) / total + 1e-9)
                keys.append(
                    (math.exp(-decay * (position - min(logits))) * min(cap, confidence * rarity), position, token)
                )
            return sorted(keys, key=lambda pick: (-pick[0], pick[1]))[:1]

        return step

    generation = PC(token_frequencies=frequencies, pc_decay=decay, pc_cap=cap)
    decoded = Stepwise().decode(model, [1, 2, 3], generation, SPECIAL)
    response, picks = naive.naive_rule(model.transformer, [1, 2, 3], 12, 6, begin)
    assert (decoded.response_ids, steps(decoded.trace)) == (response, picks)


@pytest.mark.parametrize("eos", ["keep", "suppress_confidence"])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_without_decay_and_with_even_frequencies_it_is_low_confidence(family, even, temperature, eos):
    model, same = restless_model(family, 1), {"temperature": temperature, "eos": eos}
    generation = PC(token_frequencies=even, pc_decay=0.0, pc_cap=1.0, **same)
    plain = PC(**same, ranking="low_confidence")
    found, expected = (Stepwise().decode(model, [1, 2, 3], each, SPECIAL) for each in (generation, plain))
    assert (found.response_ids, order(found.trace)) == (expected.response_ids, order(expected.trace))


def test_with_a_large_decay_it_goes_from_left_to_right(family, frequencies):
    model, generation = restless_model(family, 1), PC(token_frequencies=frequencies, pc_decay=1e6)
    plain = PC(ranking="sequential")
    found, expected = (Stepwise().decode(model, [1, 2, 3], each, SPECIAL) for each in (generation, plain))
    assert (found.response_ids, order(found.trace)) == (expected.response_ids, order(expected.trace))
    assert [position for position, _ in order(found.trace)] == list(range(12))


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_drafts_over_it_are_lossless(family, frequencies, temperature):
    generation = GenerationSettings(
        gen_length=16, block_length=8, ranking="pc", token_frequencies=frequencies, temperature=temperature
    )
    model = restless_model(family, 2, sharpness=1.0)
    reference = Stepwise().decode(model, [1, 2, 3], generation, SPECIAL)
    decoded = SelfSpeculative(depth=4, builder="best_first").decode(model, [1, 2, 3], generation, SPECIAL)
    assert (decoded.response_ids, order(decoded.trace)) == (reference.response_ids, order(reference.trace))
    assert decoded.trace.nfe < reference.trace.nfe
    EntropyBounded().check(generation)


def test_unseen_tokens_count_as_one(frequencies):
    shares, total = token_frequencies(frequencies), sum(COUNTS.values())
    assert shares[4] == 17 / total
    assert shares[5] == shares[-1] == 1 / total


def test_a_missing_or_wrong_file_is_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"generation\.ranking=pc needs generation\.token_frequencies=FILE; make one"):
        PC()
    with pytest.raises(FileNotFoundError, match=r"generation\.token_frequencies=.*none\.json: no such file; make one"):
        PC(token_frequencies=str(tmp_path / "none.json"))
    for place, text in enumerate(["{", "[]", '{"format": 1, "total": 1, "counts": {"a": 1}}', '{"format": 1}']):
        (tmp_path / f"{place}.json").write_text(text)
        with pytest.raises(ValueError, match=r"generation\.token_frequencies=.*: no frequency file"):
            PC(token_frequencies=str(tmp_path / f"{place}.json"))
    (tmp_path / "zero.json").write_text('{"format": 1, "total": 1, "counts": {"1": 0}}')
    with pytest.raises(ValueError, match="expected format 1, and counts above 0"):
        PC(token_frequencies=str(tmp_path / "zero.json"))
    with pytest.raises(ValueError, match=r"generation\.pc_cap=-1: expected a number of at least 0"):
        PC(pc_cap=-1)
