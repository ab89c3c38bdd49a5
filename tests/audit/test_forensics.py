"""What an audit tells of a divergence: both picks, where only orders part, and float64's opinion."""

import json
from dataclasses import replace

import pytest
import torch

from baselines.stepwise import Stepwise
from ssd.audit.compare import Audit
from ssd.audit.divergence import first_parting
from ssd.audit.float64 import ExactModel
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Trace
from tests.planted import BelievesAll, RightTokensInAnotherOrder
from tests.restless import restless_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
PROMPT = [5, 17, 31, 8, 44]


def settings(cache: str = "dual", **changes) -> GenerationSettings:
    return GenerationSettings(**({"gen_length": 16, "block_length": 8, "cache": cache} | changes))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
def test_right_tokens_in_another_order_are_graded_algorithmic(family, dtype):
    model = restless_model(family, dtype=dtype)
    for cache in ("none", "prefix", "dual"):
        generation, decoder = settings(cache), RightTokensInAnotherOrder(depth=4)
        reference, decoded = (side.decode(model, PROMPT, generation, SPECIAL) for side in (Stepwise(), decoder))
        compared = (PROMPT, reference, decoded, decoder)
        audit = Audit(model, generation, SPECIAL)
        assert audit.compare(*compared) is None
        parted = audit.compare_order(*compared)
        assert parted.verdict == "algorithmic"
        assert parted.index is None
        assert parted.one_by_one is (None if parted.near_tie is None else False)
        assert parted.reference_pick == reference.trace.picks[parted.step]
        assert parted.decoder_pick == decoded.trace.picks[parted.step]


def test_the_order_within_a_step_is_no_divergence():
    model, generation = restless_model("llada"), settings(steps=4)
    reference = Stepwise().decode(model, PROMPT, generation, SPECIAL)
    turned = [event._replace(picks=event.picks[::-1]) for event in reference.trace.events]
    other = replace(reference, trace=Trace(turned))
    assert Audit(model, generation, SPECIAL).compare_order(PROMPT, reference, other, Stepwise()) is None


def test_both_picks_and_float64s_opinion_are_told(family):
    """In float32 the right pick has no near tie here, so float64 makes it too, by about the same margins."""
    found = 0
    for seed in range(3):
        model = restless_model(family, seed, torch.float32)
        exact = ExactModel(model)
        generation, decoder = settings(), BelievesAll(depth=4)
        reference, decoded = (side.decode(model, PROMPT, generation, SPECIAL) for side in (Stepwise(), decoder))
        divergence = Audit(model, generation, SPECIAL, exact=exact).compare(PROMPT, reference, decoded, decoder)
        if divergence is None:
            continue
        line = json.loads(json.dumps(divergence.to_json(), allow_nan=False))
        _, expected, other = first_parting(reference.trace, decoded.trace)
        assert line["reference_pick"] == expected._asdict()
        assert line["decoder_pick"] == other._asdict()
        assert line["one_by_one"] is (None if line["near_tie"] is None else False)
        if line["near_tie"] is None and line["token_margin"] is not None:
            assert line["float64"]["picks"] == "reference"
            assert abs(line["float64"]["token_margin"]) == pytest.approx(line["token_margin"], abs=1e-4)
            assert abs(line["float64"]["position_margin"]) == pytest.approx(line["position_margin"], abs=1e-4)
            found += 1
    assert found


def test_where_the_reference_was_rounded_float64_sides_with_the_decoder():
    """Twin tokens, of which float64 prefers the one that coarse arithmetic does not: the margin is negative then."""
    model = restless_model("llada", 0, torch.float32)
    head = model.transformer.head.weight
    head[1:60:2] = head[0:60:2]
    generation = settings()
    reference = Stepwise().decode(model, PROMPT, generation, SPECIAL)
    first = reference.trace.picks[0]
    twin = first._replace(token=first.token ^ 1)
    other = replace(reference, trace=Trace([reference.trace.events[0]._replace(picks=(twin,))]))
    exact = ExactModel(model)
    exact.model.transformer.head.weight[twin.token] *= 1 + 1e-6 * (1 if logit_is_positive(model, first) else -1)
    found = Audit(model, generation, SPECIAL, exact=exact).compare_order(PROMPT, reference, other, Stepwise())
    assert found.float64.picks == "decoder"
    assert -1e-3 < found.float64.token_margin < 0


def logit_is_positive(model, pick) -> bool:
    logits = model.transformer.logits(torch.tensor([[*PROMPT, *[63] * 16]]))
    return bool(logits[0, len(PROMPT) + pick.position, pick.token] > 0)
