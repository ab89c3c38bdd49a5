"""Responses equal to the reference's, and the classes of the others."""

from __future__ import annotations

from ssd.report.results import Results
from ssd.report.tables.main import DECODER
from ssd.report.tables.table import Table, group_table
from ssd.report.tables.words import number_column, percent_column


def table(results: Results) -> Table | None:
    found = results.groups
    drifted = any((group.rows["reference_drift"] > 0).any() for group in found)
    return group_table(
        "identity",
        "Identity with the reference",
        "Responses equal to the reference's, token by token, and those that differ: numeric, if rounding explains it, "
        "else algorithmic. Same order: share of responses whose tokens were committed in the reference's order; equal "
        "responses in another order are counted in the last columns."
        + (" Drifted: references that came out otherwise than before." if drifted else ""),
        (
            DECODER,
            number_column("responses", "responses", 0),
            percent_column("identity (%)", "identity.rate"),
            *(number_column(name, f"identity.{name}", 0) for name in ("identical", "numeric", "algorithmic")),
            percent_column("same order (%)", "identity.same_commit_order"),
            *(
                number_column(f"other order, {name}", f"identity.other_order.{name}", 0)
                for name in ("numeric", "algorithmic")
            ),
            *([number_column("drifted", "reference_drift", 0)] if drifted else []),
        ),
        found,
    )
