"""Draft trees: a row per depth and width."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from ssd.report.groups import Group
from ssd.report.results import Results
from ssd.report.tables.main import ACCEPTANCE, NFE, SPEEDUP
from ssd.report.tables.table import Column, Row, Table, group_table
from ssd.report.tables.words import BEST, decoder_marks, figure, text_column

TREE = ("depth", "width", "budget", "builder")
KEYS = tuple(f"config.decoder.{name}" for name in TREE)


def table(results: Results) -> Table | None:
    """Return the table; None without two runs of a decoder that differ in their trees."""
    found = results.groups
    marked = Column("decoder", ("run_id", "label"), _name, marks=decoder_marks)
    options = [text_column(name, key) for name, key in zip(TREE, KEYS, strict=True)]
    rows = ("token_rows.decoder", "token_rows.reference")
    return group_table(
        "trees",
        "Draft trees",
        "Depth: steps drafted ahead; width: continuations per node; budget: nodes per forward. A dash is the default "
        f"of the builder. Token rows: nodes × window length, per response. {BEST}",
        (marked, *options, SPEEDUP, NFE, Column("token rows", rows, figure(rows[0], 0)), ACCEPTANCE),
        found,
        [part for group in found for part in _grids(group)],
    )


def _name(row: Row) -> str:
    """Return the label without the options of the tree, which have columns."""
    return " ".join(word for word in row["label"].split() if word.partition("=")[0] not in TREE)


def _grids(group: Group) -> Iterator[tuple[str, pd.DataFrame]]:
    present = [key for key in KEYS if key in group.rows]
    for decoder, rows in group.rows.groupby("decoder", sort=False):
        trees = rows[present].map(str).agg("|".join, axis=1) if present else pd.Series(dtype=str)
        if trees.nunique() > 1:
            order = pd.DataFrame({key: pd.to_numeric(rows[key], errors="coerce") for key in present[:2]})
            yield f"{group.title}: {decoder}", rows.loc[order.sort_values(present[:2], kind="stable").index]
