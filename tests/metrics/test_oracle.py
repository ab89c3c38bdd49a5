"""The clairvoyant decoder: what it needs by hand, and that real ones lie between it and stepwise decoding."""

import pytest

from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Event, Trace
from ssd.metrics.oracle import oracle_nfe
from ssd.speculation.decoder import SelfSpeculative
from tests.effort import some
from tests.restless import restless_model
from tests.unshakable import Unshakable

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62,))


def trace_of(*steps: int) -> Trace:
    """Blocks of so many steps."""
    return Trace([Event("decode", block, 0, 1, 8, ()) for block, count in enumerate(steps) for _ in range(count)])


@pytest.mark.parametrize(
    ("steps", "most_steps", "expected"),
    [((8,), 1, 8), ((8,), 7, 2), ((8,), 6, 3), ((8,), 100, 2), ((1,), 4, 1), ((8, 8, 1), 4, 3 + 3 + 1), ((), 3, 0)],
)
def test_each_block_opens_with_a_forward_and_goes_on_in_the_largest_strides(steps, most_steps, expected):
    assert oracle_nfe(trace_of(*steps), most_steps) == expected


def test_a_stride_of_no_steps_is_refused():
    with pytest.raises(ValueError, match="most_steps=0: expected at least 1"):
        oracle_nfe(trace_of(3), 0)


@pytest.mark.parametrize("depth", [1, 3, 30])
@pytest.mark.slow
def test_decoders_lie_between_the_oracle_and_stepwise_decoding(family, depth):
    generation = GenerationSettings(gen_length=24, block_length=12)
    decoder = SelfSpeculative(depth=depth)
    for seed in some(range(4), 2, depth):
        model = restless_model(family, seed)
        reference = Stepwise().decode(model, [1, 2, 3], generation, SPECIAL).trace
        reached = decoder.decode(model, [1, 2, 3], generation, SPECIAL).trace.nfe
        assert oracle_nfe(reference, decoder.most_steps) <= reached <= reference.nfe


@pytest.mark.parametrize(("builder", "budget"), [("chain", 4), ("kary", 4), ("chain", 30)])
def test_where_every_draft_is_right_the_oracle_is_reached(builder, budget):
    model, generation = Unshakable(0), GenerationSettings(gen_length=32, block_length=16, cache="none")
    decoder = SelfSpeculative(depth=budget - 1, builder=builder, budget=budget, width=1)
    reference = Stepwise().decode(model, [1, 2, 3], generation, SPECIAL).trace
    reached = decoder.decode(model, [1, 2, 3], generation, SPECIAL).trace
    assert reached.nfe == oracle_nfe(reference, decoder.most_steps)
