"""Block-causal decoding against transformers' classes: naive loops without a cache, and greedy generation."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from baselines.fast_dllm import FastDLLM
from baselines.freedave import FreeDave
from baselines.stepwise import Stepwise
from ssd.decoding.block_decoder import BlockDecoder
from tests.block_cases import Case, case
from tests.modeling.reference import reference_model, widen_norms
from tests.models import write_checkpoint
from tests.naive_blocks import NaiveBlocks
from tests.traces import steps

THRESHOLD = 0.3
Theirs = Callable[[Case], PreTrainedModel]

# family, block, prompt length, gen length, sub-block
SHAPES = [
    ("sdar", 4, 8, 10, None),
    ("sdar", 4, 7, 9, 2),
    ("sdar", 1, 3, 6, None),
    ("sdar", 8, 13, 12, 4),
    ("fast_dllm_v2", 8, 8, 17, None),
    ("fast_dllm_v2", 8, 3, 14, 2),
    ("fast_dllm_v2", 16, 18, 16, 4),
]
EAGER_SHAPES = [("sdar", 1, 3, 6), ("sdar", 2, 4, 12), ("sdar", 4, 7, 9), ("fast_dllm_v2", 4, 5, 10)]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Theirs:
    """The class of transformers that holds a case's weights, read once for all cases that share them."""
    root, read = tmp_path_factory.mktemp("checkpoints"), dict[Path, PreTrainedModel]()

    def find(made: Case) -> PreTrainedModel:
        folder = root / f"{made.family}-{made.seed}-{made.settings.block_length}"
        if folder not in read:
            write_checkpoint(folder, made.model.transformer)
            read[folder] = reference_model(folder, made.model.config, torch.float64)
            widen_norms(read[folder], made.model.config)
        return read[folder]

    return find


def naive(made: Case, model: PreTrainedModel) -> NaiveBlocks:
    settings = made.settings
    return NaiveBlocks(model, made.model.config, list(made.prompt), settings.gen_length, settings.sub_block_length)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.slow
def test_stepwise_and_thresholds_are_what_a_loop_decodes(shape: tuple, theirs: Theirs) -> None:
    family, block, prompt, gen_length, part = shape
    rules: dict[BlockDecoder, Callable[[list[float]], int]] = {
        Stepwise(): lambda confidences: 1,
        FastDLLM("threshold", THRESHOLD): lambda sure: max(1, sum(each >= THRESHOLD for each in sure)),
        FastDLLM("dynamic", THRESHOLD): lambda sure: max(1, sum(each > THRESHOLD for each in sure)),
    }
    for decoder, count in rules.items():
        made = case(family, block, prompt, gen_length, sub_block_length=part)
        decoded = made.decode(decoder)
        response, picks = naive(made, theirs(made)).decode(count)
        assert decoded.response_ids == response
        assert steps(decoded.trace) == picks


@pytest.mark.parametrize("block", [4, 8])
def test_dynamic_decoding_commits_at_least_the_schedule(block: int, theirs: Theirs) -> None:
    made = case("sdar", block, 6, 14, steps=block // 2)
    decoded = made.decode(FastDLLM("dynamic", 0.5))
    response, picks = naive(made, theirs(made)).decode(lambda sure: max(2, sum(each > 0.5 for each in sure)))
    assert decoded.response_ids == response
    assert steps(decoded.trace) == picks


@pytest.mark.parametrize("family", ["sdar", "fast_dllm_v2"])
@pytest.mark.slow
def test_any_end_token_ends_after_its_block(family: str, theirs: Theirs) -> None:
    stopped = 0
    for seed in range(3):
        made = case(family, 4, 5, 24, seed, stop="eos_any")
        free = case(family, 4, 5, 24, seed).decode(Stepwise()).response_ids
        ends = (62, free[seed + 1])
        made = Case(made.family, seed, made.sharpness, made.prompt, made.settings, ends)
        decoded = made.decode(Stepwise())
        response, picks = naive(made, theirs(made)).decode(lambda sure: 1, ends)
        assert decoded.response_ids == response
        assert steps(decoded.trace) == picks
        stopped += decoded.trace.filled > 0
    assert stopped == 3


@pytest.mark.parametrize("draft_steps", [2, 5, 9])
@pytest.mark.slow
def test_eager_freedave_is_what_a_loop_decodes(draft_steps: int, theirs: Theirs) -> None:
    """Every forward commits what the loop's commits, across the borders of blocks, in both ways to store."""
    across = 0
    for family, block, prompt, gen_length in EAGER_SHAPES:
        made = case(family, block, prompt, gen_length)
        response, picks = naive(made, theirs(made)).decode_eager(draft_steps)
        for store in ("fused", "separate"):
            decoded = made.decode(FreeDave(draft_steps, "exact_match", eager=True), store=store)
            assert decoded.response_ids == response
            assert [step for step in steps(decoded.trace) if step] == picks
        across += sum(len({(prompt + position) // block for position, _ in step}) > 1 for step in picks)
    assert across


@pytest.mark.parametrize("prompt", [1, 9])
@pytest.mark.slow
def test_blocks_of_one_are_autoregressive_decoding(prompt: int, theirs: Theirs) -> None:
    """With shifted logits a block of one is the token that the one before it predicts. The mask is never predicted."""
    for seed in range(2):
        made = case("fast_dllm_v2", 1, prompt, 16, seed)
        tokens = torch.tensor([made.prompt])
        generated = theirs(made).generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=16,
            do_sample=False,
            suppress_tokens=[made.special.mask_id],
            eos_token_id=None,
            pad_token_id=0,
        )
        decoded = made.decode(Stepwise())
        assert decoded.response_ids == generated[0, prompt:].tolist()
        assert decoded.trace.nfe == 16
        assert made.decode(FreeDave(4, eager=True)).response_ids == decoded.response_ids


def test_blocks_of_one_without_a_shift_predict_a_mask_behind_a_causal_context(theirs: Theirs) -> None:
    """transformers' own causal mask is the block-causal one of blocks of one."""
    made = case("sdar", 1, 5, 12)
    mask_id, tokens = made.special.mask_id, list(made.prompt)
    with torch.no_grad():
        for _ in range(12):
            logits = theirs(made)(torch.tensor([[*tokens, mask_id]])).logits[0, -1]
            logits[mask_id] = -torch.inf
            tokens.append(int(logits.argmax()))
    assert made.decode(Stepwise()).response_ids == tokens[5:]
