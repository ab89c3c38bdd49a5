"""Without the Hub, nothing waits for it."""

import datasets
import huggingface_hub
import pytest
from huggingface_hub import constants

from ssd.tasks.rows import go_offline_if_unreachable


class Session:
    """A connection that answers, or none."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def head(self, url: str, timeout: float) -> None:
        assert url == constants.ENDPOINT
        assert timeout <= 5
        if self.error:
            raise self.error


@pytest.mark.parametrize("error", [None, OSError("no route to host")])
def test_only_a_hub_that_does_not_answer_is_done_without(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "get_session", lambda: Session(error))
    assert go_offline_if_unreachable() == (error and "OSError: no route to host")
    assert constants.HF_HUB_OFFLINE is datasets.config.HF_HUB_OFFLINE is (error is not None)
