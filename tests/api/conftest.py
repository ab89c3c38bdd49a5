"""Models that the tests of the API share."""

import pytest

import ssd


@pytest.fixture(scope="session")
def model(checkpoints):
    """A random LLaDA in float64 with a tokenizer and a chat template."""
    return ssd.load(str(checkpoints["llada"]), device="cpu", dtype="float64")
