"""Every setting that cannot work is refused by one line that names the key, the value and what was expected."""

import pytest

from ssd.decoding.settings import GenerationSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"gen_length": 0}, r"generation.gen_length=0: expected a whole number of at least 1"),
        ({"gen_length": 2.5}, r"generation.gen_length=2.5"),
        ({"block_length": -8}, r"generation.block_length=-8"),
        ({"block_length": True}, r"generation.block_length=True"),
        (
            {"gen_length": 100, "block_length": 32},
            r"gen_length=100 is not divisible .*block_length=32; generation.block_length=25",
        ),
        ({"cache": "both"}, r"generation.cache='both': expected one of none, prefix, dual"),
        ({"ranking": "best"}, r"generation.ranking='best': expected one of low_confidence, random"),
        ({"eos": None}, r"generation.eos=None: expected one of keep"),
        ({"steps": 300}, r"generation.steps=300: expected null .* from 8 .* to 256"),
        ({"steps": 4}, r"generation.steps=4: expected null"),
        ({"steps": 100}, r"generation.steps=100 does not spread evenly over 8 blocks; 96 would"),
        ({"temperature": -0.1}, r"generation.temperature=-0.1: expected 0 \(greedy\) or a number above it"),
        ({"temperature": True}, r"generation.temperature=True"),
        ({"top_p": 0}, r"generation.top_p=0: expected a number above 0, and 1 at most"),
        ({"top_p": 1.1}, r"generation.top_p=1.1"),
        ({"top_k": 0}, r"generation.top_k=0: expected null"),
        ({"seed": "a"}, r"generation.seed='a'"),
    ],
)
def test_refusals(values, message):
    with pytest.raises(ValueError, match=message):
        GenerationSettings(**values)


def test_steps_default_to_one_token_per_step():
    settings = GenerationSettings(gen_length=64, block_length=16)
    assert (settings.blocks, settings.steps_per_block) == (4, 16)
    assert GenerationSettings(gen_length=64, block_length=16, steps=8).steps_per_block == 2
