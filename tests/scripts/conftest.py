"""What the tests of trainings share."""

from collections.abc import Iterator

import pytest

from scripts import train_tiny
from tests.checkpoints import trained_tokenizer


@pytest.fixture(scope="module")
def one_tokenizer() -> Iterator[None]:
    """Every training gets the same trained tokenizer; to train it again would take a second each time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_tiny, "train_tokenizer", trained_tokenizer)
        yield
