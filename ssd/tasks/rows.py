"""Read the rows of a data set from a local file or from the Hub."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ssd.extras import extra
from ssd.tasks.jsonl import read_records

TIMEOUT_S = 5
"""Time in which the Hub must answer."""
Made = TypeVar("Made")
Row = tuple[str, dict[str, Any]]
"""The place of a row, for errors, and its fields."""


@dataclass(frozen=True)
class Split:
    """A split of a data set on the Hub. Errors show its `title`."""

    title: str
    name: str
    config: str | None
    split: str

    def rows(self, path: str | None, option: str, alternative: str = "") -> list[Row]:
        """Return all rows of the file `path`, or of the Hub if it is None.

        Errors name `option`, the key of `path`, and `alternative`, one more remedy. Raise ImportError without the
        datasets package, and ConnectionError if the Hub does not provide the data.
        """
        if path is not None:
            return read_records(path, option)
        return self._from_hub(f"pass {option}=FILE.jsonl with a local copy{alternative}")

    def documents(
        self,
        make: Callable[[dict[str, Any], int, str], Made],
        path: str | None,
        limit: int | None = None,
        option: str = "task.path",
        alternative: str = "",
    ) -> list[Made]:
        """Return what `make` makes of the fields, index and place of the first `limit` rows; the others: see `rows`."""
        rows = enumerate(self.rows(path, option, alternative)[:limit])
        return [make(record, index, place) for index, (place, record) in rows]

    def _from_hub(self, remedy: str) -> list[Row]:
        with extra("tasks", self.title, remedy):
            from datasets import load_dataset
            from datasets.exceptions import DatasetsError
            from huggingface_hub import constants
        unreachable = go_offline_if_unreachable()
        try:
            rows = load_dataset(self.name, self.config, split=self.split)
        except (OSError, DatasetsError) as error:
            cause = "it does not answer" if constants.HF_HUB_OFFLINE else " ".join(str(error).split())
            cause = f"{cause}, {unreachable}" if unreachable else cause
            raise ConnectionError(
                f"{self.title} cannot be loaded from the Hub ({cause}); connect to it, or {remedy}"
            ) from error
        return [(f"{self.name} {self.split} row {number}", dict(row)) for number, row in enumerate(rows)]


def go_offline_if_unreachable() -> str | None:
    """Send one request to the Hub. If it fails, use downloaded files only, and return the reason.

    The libraries themselves would try again for 30 seconds.
    """
    import datasets
    from huggingface_hub import constants, get_session

    if constants.HF_HUB_OFFLINE:
        return None
    try:
        get_session().head(constants.ENDPOINT, timeout=TIMEOUT_S)
    except Exception as error:  # the class depends on the HTTP library of this huggingface_hub version
        # Both packages copied the environment variable at import, and read only their copies.
        constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None
