"""The circumstances of the measurements."""

from __future__ import annotations

import pandas as pd

from ssd.report.results import Results
from ssd.report.tables.table import Column, Table, make_table
from ssd.report.tables.words import NOTHING, text_column, words
from ssd.report.titles import CIRCUMSTANCES

HEADS = {
    "config.model.path": "model", "config.model.revision": "revision", "environment.checkpoint": "checkpoint",
    "environment.device_name": "device", "environment.threads": "threads", "config.runtime.dtype": "dtype",
    "config.runtime.numerics": "numerics", "config.runtime.engine": "engine", "config.runtime.batch_size": "batch",
    "environment.libraries.torch": "torch", "environment.cuda": "CUDA", "environment.attention_backend": "attention",
    "environment.libraries.transformers": "transformers", "environment.python": "Python",
    "environment.commit": "commit", "environment.dirty": "uncommitted changes",
}  # fmt: skip
ALWAYS = ("config.model.path", "environment.device_name", "config.runtime.dtype", "environment.commit")
"""Columns that are always there. Another column becomes a note if all runs share its value."""


def table(results: Results) -> Table | None:
    """Return the table; None without runs."""
    runs = results.runs.reindex(columns=[*results.runs.columns, *(key for key in HEADS if key not in results.runs)])
    told = pd.DataFrame({key: [_text(key, value) for value in runs[key]] for key in HEADS})
    counted = told.groupby(list(HEADS), sort=False).size().rename("runs").reset_index() if len(told) else told
    alike = [key for key in HEADS if key not in ALWAYS and counted[key].nunique() == 1]
    columns = [text_column(head, key) for key, head in HEADS.items() if key not in alike]
    common = "; ".join(f"{HEADS[key]} {counted[key][0]}" for key in alike if counted[key][0] != NOTHING)
    return make_table(
        "circumstances",
        "Circumstances",
        "Of all runs, unfinished ones included. Runs that differ in "
        f"{', '.join(HEADS[key] for key in CIRCUMSTANCES)} are never put into one comparison, nor are those "
        "compared with different references; runs of different commits are marked.",
        [*columns, Column("runs", ("runs", *alike), words("runs"))],
        [("", counted)],
        notes=[f"Of all runs: {common}."] if common else [],
        words=len(columns),
    )


def _text(key: str, value: object) -> str:
    """Return the text of a value. Runs are counted by these texts, so a missing value is a text, too."""
    if value is None or value != value:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)[:7] if key in ("environment.commit", "environment.checkpoint") else str(value)
