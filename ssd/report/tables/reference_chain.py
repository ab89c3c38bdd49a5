"""The reference chain of runs with runtime.reference=chain: no cache → cache → decoder."""

from __future__ import annotations

import pandas as pd

from ssd.report.results import Results
from ssd.report.runs import flatten
from ssd.report.tables.table import Column, Row, Table, group_table
from ssd.report.tables.words import ALGORITHMIC, CHANGE, change, decoder_marks, percent_column, speedup, words

NAMES = {"uncached": "no cache", "reference": "cache", "decoder": "decoder"}


def link(row: Row) -> str:
    """Return the two sides of a link."""
    return f"{NAMES.get(row['from'], row['from'])} → {NAMES.get(row['to'], row['to'])}"


def table(results: Results) -> Table | None:
    """Return the table; None without a run with a chain."""
    found = results.groups
    return group_table(
        "reference_chain",
        "What each approximation changes",
        "From stepwise decoding without a cache to stepwise decoding with one, from there to the decoder, and from end "
        "to end. Tokens: share of positions that agree; change of accuracy in percentage points.",
        (
            Column("decoder", ("run_id", "label"), words("label"), marks=decoder_marks),
            Column("link", ("from", "to"), link),
            percent_column("identity (%)", "identity"),
            percent_column("tokens (%)", "tokens"),
            percent_column("accuracy before (%)", "accuracy.from"),
            percent_column("after (%)", "accuracy.to"),
            Column("change (pp) [95 %]", CHANGE, change),
            Column("speedup [95 %]", ("speedup.ratio", "speedup.low", "speedup.high"), speedup),
        ),
        found,
        [(group.title, _links(group.rows)) for group in found],
        words=2,
    )


def _links(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row per link of each run with a chain. Counts of identity stay the run's; they decide its mark."""
    kept = ("run_id", "label", "mark", "claims_lossless", *ALGORITHMIC)
    rows = [
        {**{name: run[name] for name in kept}, **dict(flatten(found))}
        for _, run in runs.iterrows()
        for found in (run["hops"] if isinstance(run["hops"], list) else [])
    ]
    return pd.DataFrame(rows)
