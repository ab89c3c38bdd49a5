"""Under which circumstances the runs were measured."""

from __future__ import annotations

import pandas as pd

from ssd.report.comparable import CIRCUMSTANCES
from ssd.report.results import Results
from ssd.report.tables.table import Column, Table, make_table
from ssd.report.tables.words import NOTHING, words

HEADS = {
    "environment.device_name": "device", "environment.threads": "threads", "config.runtime.dtype": "dtype",
    "config.runtime.numerics": "numerics", "config.runtime.batch_size": "batch", "environment.libraries.torch": "torch",
    "environment.attention_backend": "attention", "environment.libraries.transformers": "transformers",
    "environment.python": "Python", "environment.commit": "commit", "environment.dirty": "uncommitted changes",
}  # fmt: skip


def table(results: Results) -> Table | None:
    runs = results.runs.reindex(columns=[*results.runs.columns, *(key for key in HEADS if key not in results.runs)])
    told = pd.DataFrame({key: [_text(key, value) for value in runs[key]] for key in HEADS})
    counted = told.groupby(list(HEADS), sort=False).size().rename("runs").reset_index() if len(told) else told
    columns = [Column(head, (key,), words(key)) for key, head in HEADS.items()]
    return make_table(
        "circumstances",
        "Circumstances",
        "Of all runs, unfinished ones included. Runs that differ in "
        f"{', '.join(HEADS[key] for key in CIRCUMSTANCES)} are never put into one comparison; runs of different "
        "commits are marked.",
        [*columns, Column("runs", ("runs",), words("runs"))],
        [("", counted)],
        words=len(HEADS),
    )


def _text(key: str, value: object) -> str:
    """As it is shown; runs are counted by it, so that a missing value is a text as well."""
    if value is None or value != value:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)[:7] if key == "environment.commit" else str(value)
