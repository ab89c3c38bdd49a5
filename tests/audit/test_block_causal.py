"""The audit of drafts over several blocks: right decoders are identical, wrong ones are graded algorithmic."""

import pytest
import torch

from baselines.freedave import FreeDave
from baselines.stepwise import Stepwise
from ssd.audit.compare import Audit
from ssd.audit.divergence import Divergence
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.decoder import Decoded
from ssd.speculation.decoder import SelfSpeculative
from tests.block_cases import Case, case
from tests.effort import LONG
from tests.planted_blocks import WRONG_IN_BLOCKS, WRONG_IN_LATER_BLOCKS
from tests.restless import restless_model

RIGHT = {"lookahead": SelfSpeculative(5, lookahead=1), "eager": FreeDave(5, eager=True)}


def audit(made: Case, decoder: BlockDecoder, dtype: torch.dtype) -> tuple[Decoded, Decoded, Divergence | None]:
    model = restless_model(made.family, made.seed, dtype, causal_block=made.settings.causal_block)
    reference, decoded = (made.decode(each, model) for each in (Stepwise(), decoder))
    auditor = Audit(model, made.settings, made.special)
    return reference, decoded, auditor.compare(list(made.prompt), reference, decoded, decoder)


@pytest.mark.parametrize("store", ["fused", "separate"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("family", ["sdar", "fast_dllm_v2"])
@pytest.mark.parametrize("planted", WRONG_IN_BLOCKS, ids=lambda kind: kind.__name__)
def test_planted_faults_are_graded_algorithmic(planted: type, family: str, dtype: torch.dtype, store: str) -> None:
    made = [case(family, 4, 5 + seed % 3, 14, seed, store=store, sub_block_length=2) for seed in range(3)]
    check_caught(planted, dtype, made)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("family", ["llada", "dream"])
@pytest.mark.parametrize("planted", WRONG_IN_LATER_BLOCKS, ids=lambda kind: kind.__name__)
def test_faults_in_later_blocks_are_graded_algorithmic(planted: type, family: str, dtype: torch.dtype) -> None:
    check_caught(planted, dtype, [case(family, 2, 5, 12, seed) for seed in range(4)])


def check_caught(planted: type, dtype: torch.dtype, cases: list[Case]) -> None:
    caught = 0
    for made in cases:
        if caught and not LONG:
            break
        reference, decoded, divergence = audit(made, planted(depth=4), dtype)
        assert (divergence is None) == (reference.response_ids == decoded.response_ids)
        if divergence is not None:
            assert divergence.verdict == "algorithmic"
            caught += 1
    assert caught


@pytest.mark.parametrize("decoder", RIGHT)
@pytest.mark.parametrize(("family", "length"), [("sdar", 14), ("fast_dllm_v2", 14), ("llada", 12), ("dream", 12)])
def test_drafts_into_later_blocks_have_no_divergence(family: str, length: int, decoder: str) -> None:
    for seed in range(2):
        reference, decoded, divergence = audit(case(family, 4, 6, length, seed), RIGHT[decoder], torch.float32)
        assert reference.response_ids == decoded.response_ids
        assert divergence is None
