"""Confidences of decided positions: against plain forwards over each state, and the same along every lossless path."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from baselines.apd import APD
from baselines.fast_dllm import FastDLLM
from baselines.freedave import FreeDave
from baselines.stepwise import Stepwise
from baselines.wino import WINO
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.cache_policy import POLICIES, plain_caches
from ssd.decoding.decoder import Decoded
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.metrics.response import trace_to_json
from ssd.modeling.config import Family
from ssd.modeling.kv_cache import Window
from ssd.speculation.decoder import SelfSpeculative
from tests.models import BLOCK_CAUSAL, FAMILIES, tiny_config
from tests.restless import restless_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
PROMPT = [1, 2, 3]
NONE = GenerationSettings(gen_length=16, block_length=8, cache="none")


def decoded(decoder: BlockDecoder, family: Family, generation: GenerationSettings, kept: bool = True) -> Decoded:
    if kept:
        decoder.keep_confidences()
    return decoder.decode(restless_model(family), PROMPT, generation, SPECIAL)


def confidences(found: Decoded, length: int = 16) -> np.ndarray:
    """float64 [steps, length] of all steps, NaN for None."""
    steps = [step for at in range(found.trace.forwards) for step in found.trace.decided_at(at)]
    return np.array([(step + [None] * length)[:length] for step in steps], dtype=float)


def naive(found: Decoded, family: Family, picks_of_steps: Sequence[int]) -> np.ndarray:
    """The same without a cache: each step's state goes through the model alone, and the softmax gives every token's
    probability."""
    model, picks, steps = restless_model(family), iter(found.trace.picks), []
    canvas = torch.tensor([*PROMPT, *[SPECIAL.mask_id] * 16])
    window = Window(0, len(canvas), len(PROMPT), len(canvas), len(canvas))
    for count in picks_of_steps:
        logits = model.window(canvas[None], window)[0].clone()
        logits[:, SPECIAL.mask_id] = -torch.inf
        for pick in (next(picks) for _ in range(count)):
            canvas[len(PROMPT) + pick.position] = pick.token
        tokens = canvas[len(PROMPT) :]
        of_token = logits.softmax(dim=-1).gather(1, tokens[:, None])[:, 0]
        steps.append(torch.where(tokens == SPECIAL.mask_id, torch.nan, of_token).tolist())
    return np.array(steps)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.slow
def test_without_a_cache_they_are_those_of_a_plain_forward_over_each_state(family: Family) -> None:
    for decoder in (Stepwise(), SelfSpeculative(4, 2, builder="kary"), FreeDave(4)):
        found = decoded(decoder, family, NONE)
        np.testing.assert_allclose(confidences(found), naive(found, family, [1] * 16), rtol=1e-9)
    found = decoded(FastDLLM(threshold=0.3), family, NONE)
    counts = [len(event.picks) for event in found.trace.events]
    assert max(counts) > 1
    np.testing.assert_allclose(confidences(found), naive(found, family, counts), rtol=1e-9)


@pytest.mark.parametrize("cache", [cache for cache in plain_caches("prompt") if POLICIES[cache].refreshes == "block"])
@pytest.mark.parametrize("family", FAMILIES)
def test_with_a_cache_the_block_has_them_and_the_lossless_path_has_stepwise_ones(family: Family, cache: str) -> None:
    generation = replace(NONE, cache=cache)
    plain = confidences(decoded(Stepwise(), family, generation))
    drafted = confidences(decoded(SelfSpeculative(4, 2, builder="kary"), family, generation))
    np.testing.assert_allclose(drafted, plain, rtol=1e-9)
    assert np.isnan(plain[8:, :8]).all(), "the first block's rows are not computed again"
    unseen = [0, 8] if family == "dream" else []  # predicted before the window begins
    inside = np.delete(np.arange(8, 16), [position - 8 for position in unseen if position >= 8])
    decided_by = np.argmin(np.isnan(plain[:, inside]), axis=0)
    for position, step in zip(inside, decided_by, strict=True):
        assert not np.isnan(plain[step:, position]).any(), "a decided position of the block keeps its confidence"


@pytest.mark.parametrize("family", BLOCK_CAUSAL)
def test_a_first_block_that_begins_in_the_prompt_counts_from_the_response(family: Family) -> None:
    length = 4 if family == "sdar" else 8
    generation = GenerationSettings(gen_length=16, block_length=length, grid="absolute", cache="exact")
    found = decoded(Stepwise(), family, generation)
    first = confidences(found)
    assert all(not np.isnan(first[step, pick.position]) for step, pick in enumerate(found.trace.picks[:16]) if step < 4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.slow
def test_the_option_changes_neither_response_nor_trace_and_stores_nothing_unless_it_is_on(family: Family) -> None:
    generation = replace(NONE, temperature=0.5)
    for decoder in (Stepwise, SelfSpeculative, FastDLLM):
        without, kept = (decoded(decoder(), family, generation, kept) for kept in (False, True))
        assert without.response_ids == kept.response_ids
        # Only the rows that get logits differ: the option needs those of decided positions, too.
        assert [event._replace(picks=(), logit_rows=0) for event in without.trace.events] == [
            event._replace(picks=(), logit_rows=0) for event in kept.trace.events
        ]
        assert [pick[:2] for pick in without.trace.picks] == [pick[:2] for pick in kept.trace.picks]
        assert not any("decided" in event for event in trace_to_json(without.trace))
        stored = [step for event in trace_to_json(kept.trace) for step in event["decided"]]
        assert stored == [step for at in range(kept.trace.forwards) for step in kept.trace.decided_at(at)]
        assert len(stored) == 16 or decoder is FastDLLM


@pytest.mark.parametrize("cache", [cache for cache in POLICIES if not POLICIES[cache].has_decided_rows])
def test_a_cache_whose_forwards_leave_out_decided_positions_is_refused(cache: str) -> None:
    decoder, generation = Stepwise(), replace(NONE, cache=cache)
    decoder.check_all(generation, tiny_config("llada"))
    decoder.keep_confidences()
    with pytest.raises(ValueError, match=f"^runtime.confidences=true with generation.cache={cache}: .* another cache$"):
        decoder.check_all(generation, tiny_config("llada"))


@pytest.mark.parametrize("decoder", [WINO(), APD()])
def test_loops_of_their_own_refuse(decoder: WINO | APD) -> None:
    with pytest.raises(ValueError, match=r"^(WINO|APD) keeps no confidences of decided positions, .*=false$"):
        decoder.keep_confidences()
