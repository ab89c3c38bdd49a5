"""The runs and files that the report leaves out, with reasons."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ssd.report.results import Results
from ssd.report.tables.table import Table, make_table
from ssd.report.tables.words import text_column


def reasons(results: Results) -> Iterator[tuple[str, str]]:
    """Return folder and reason: first of folders that could not be read in full, then of runs that are not done."""
    yield from results.left_out
    damaged = {folder for folder, reason in results.left_out if reason.startswith("summary.json")}
    stored = results.samples["run_id"].value_counts()
    lacking = results.runs[(results.runs["status"] != "done") & ~results.runs["folder"].isin(damaged)]
    for _, run in lacking.iterrows():
        samples = f"{stored.get(run['run_id'], 0)} samples stored"
        told = f": {run['error']}" if isinstance(run["error"], str) else ""
        yield run["folder"], f"{run['status']}{told}; {samples}, the run's own line resumes it"


def table(results: Results) -> Table | None:
    return make_table(
        "left_out",
        "Left out",
        "Folders that hold no readable run, parts of runs that could not be read, and runs that have not finished.",
        [text_column(name, name) for name in ("folder", "reason")],
        [("", pd.DataFrame(list(reasons(results)), columns=["folder", "reason"]))],
        words=2,
    )
