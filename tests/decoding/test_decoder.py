"""Decoders print themselves with their options."""

import pytest

from baselines.fast_dllm import FastDLLM
from baselines.stepwise import Stepwise
from ssd.speculation.decoder import SelfSpeculative


@pytest.mark.parametrize(
    ("decoder", "expected"),
    [
        (Stepwise(), "Stepwise()"),
        (FastDLLM("factor", factor=2.0), "FastDLLM(rule='factor', threshold=0.9, factor=2.0, scope='block')"),
        (
            SelfSpeculative(4, builder=None, width=3),
            "SelfSpeculative(depth=4, width=3, budget=None, builder='best_first', alternatives=False, graph=None, "
            "costs=None)",
        ),
    ],
)
def test_a_decoder_prints_its_options(decoder, expected):
    assert repr(decoder) == expected
