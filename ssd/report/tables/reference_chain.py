"""The reference chain of runs with runtime.reference=chain: no cache → cache → decoder."""

from __future__ import annotations

import pandas as pd

from ssd.report.groups import marks_of, notes_of
from ssd.report.results import Results
from ssd.report.runs import flatten
from ssd.report.tables.table import Column, Row, Table, make_table
from ssd.report.tables.words import ALGORITHMIC, change, decoder_marks, percent, speedup, words

NAMES = {"uncached": "no cache", "reference": "cache", "decoder": "decoder"}


def link(row: Row) -> str:
    """Return the two sides of a link."""
    return f"{NAMES.get(row['from'], row['from'])} → {NAMES.get(row['to'], row['to'])}"


def table(results: Results) -> Table | None:
    """Return the table; None without a run with a chain."""
    found = results.groups
    parts = [(group.title, _links(group.rows)) for group in found]
    return make_table(
        "reference_chain",
        "What each approximation changes",
        "From stepwise decoding without a cache to stepwise decoding with one, from there to the decoder, and from end "
        "to end. Tokens: share of positions that agree; change of accuracy in percentage points.",
        (
            Column("decoder", ("run_id", "label"), words("label"), marks=decoder_marks),
            Column("link", ("from", "to"), link),
            Column("identity (%)", ("identity",), percent("identity")),
            Column("tokens (%)", ("tokens",), percent("tokens")),
            Column("accuracy before (%)", ("accuracy.from",), percent("accuracy.from")),
            Column("after (%)", ("accuracy.to",), percent("accuracy.to")),
            Column(
                "change (pp) [95 %]",
                ("accuracy_difference.difference", "accuracy_difference.low", "accuracy_difference.high"),
                change,
            ),
            Column("speedup [95 %]", ("speedup.ratio", "speedup.low", "speedup.high"), speedup),
        ),
        parts,
        marks_of(found),
        notes_of(found),
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
