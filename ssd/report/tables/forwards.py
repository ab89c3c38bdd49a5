"""Forwards by kind, nodes and token rows: they explain the speedup."""

from __future__ import annotations

from ssd.report.results import Results
from ssd.report.tables.main import DECODER, NFE
from ssd.report.tables.table import Column, Row, Table, group_table
from ssd.report.tables.words import BEST, NOTHING, figure, number, number_column

KINDS = ("refresh", "decode", "verify", "verifier")


def times_as_many(row: Row) -> str:
    """Return the decoder's token rows over the reference's."""
    reference = row.get("token_rows.reference")
    return number(row.get("token_rows.decoder") / reference) if reference else NOTHING


def table(results: Results) -> Table | None:
    found = results.groups
    made = [kind for kind in KINDS if any((group.rows[f"nfe.by_kind.{kind}"] > 0).any() for group in found)]
    kinds = [number_column(kind, f"nfe.by_kind.{kind}", 1) for kind in made]
    rows = ("token_rows.decoder", "token_rows.reference")
    return group_table(
        "forwards",
        "Forwards and token rows",
        "Means per response. NFE is the sum of refresh, decode and verify forwards; those of a second model (verifier) "
        "are no part of it. Nodes: states evaluated; token rows: nodes × window length, also as a multiple of the "
        f"reference's. {BEST}",
        (
            DECODER,
            NFE,
            *kinds,
            number_column("nodes", "node_evaluations.decoder", 1),
            Column("token rows", rows, figure(rows[0], 0)),
            Column("× reference", rows, times_as_many),
            number_column("ms/forward", "ms_per_forward.decoder"),
        ),
        found,
    )
