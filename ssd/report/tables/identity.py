"""Responses equal to the reference's, and the classes of the others."""

from __future__ import annotations

from ssd.report.groups import marks_of, notes_of
from ssd.report.results import Results
from ssd.report.tables.main import DECODER
from ssd.report.tables.table import Column, Table, make_table
from ssd.report.tables.words import figure, percent

COUNTS = {"identical": "identical", "numeric": "numeric", "algorithmic": "algorithmic"}
ORDERS = {"other order, numeric": "numeric", "other order, algorithmic": "algorithmic"}


def table(results: Results) -> Table | None:
    found = results.groups
    counts = [Column(head, (f"identity.{key}",), figure(f"identity.{key}", 0)) for head, key in COUNTS.items()]
    orders = [
        Column(head, (f"identity.other_order.{key}",), figure(f"identity.other_order.{key}", 0))
        for head, key in ORDERS.items()
    ]
    same = "identity.same_commit_order"
    drift = (Column("drifted", ("reference_drift",), figure("reference_drift", 0)),)
    drifted = any((group.rows["reference_drift"] > 0).any() for group in found)
    return make_table(
        "identity",
        "Identity with the reference",
        "Responses equal to the reference's, token by token, and those that differ: numeric, if rounding explains it, "
        "else algorithmic. Same order: share of responses whose tokens were committed in the reference's order; equal "
        "responses in another order are counted in the last columns."
        + (" Drifted: references that came out otherwise than before." if drifted else ""),
        (
            DECODER,
            Column("responses", ("responses",), figure("responses", 0)),
            Column("identity (%)", ("identity.rate",), percent("identity.rate")),
            *counts,
            Column("same order (%)", (same,), percent(same)),
            *orders,
            *(drift if drifted else ()),
        ),
        [(group.title, group.rows) for group in found],
        marks_of(found),
        notes_of(found),
    )
