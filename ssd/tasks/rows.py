"""The rows of a data set: from a local file where the user names one, else from the Hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ssd.extras import extra
from ssd.tasks.hub import go_offline_if_unreachable
from ssd.tasks.jsonl import read_records

Row = tuple[str, dict[str, Any]]
"""Where a row stands, for errors, and its fields."""


@dataclass(frozen=True)
class Split:
    """A split of a data set on the Hub; `title` is what errors call it."""

    title: str
    name: str
    config: str | None
    split: str

    def rows(self, path: str | None, option: str, alternative: str = "") -> list[Row]:
        """Return all rows of the file `path`, which `option` named, or of the Hub where it is None.

        `alternative` is one more remedy for an error to name.
        """
        if path is not None:
            return read_records(path, option)
        return self._from_hub(f"connect to it, or pass {option}=FILE.jsonl with a local copy{alternative}")

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
            raise ConnectionError(f"{self.title} cannot be had from the Hub ({cause}); {remedy}") from error
        return [(f"{self.name} {self.split} row {number}", dict(row)) for number, row in enumerate(rows)]
