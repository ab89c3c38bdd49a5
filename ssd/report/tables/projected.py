"""What the counted forwards of runs would cost on named GPUs, apart from everything that was measured."""

from __future__ import annotations

from ssd.report.groups import marks_of
from ssd.report.projection.projected import Target, obstacles, rows, source
from ssd.report.results import Results
from ssd.report.tables.main import DECODER
from ssd.report.tables.table import Column, Row, Table, make_table
from ssd.report.tables.words import NOTHING, number

TOO_LARGE = "A dash: weights, keys and values exceed the device's memory."


def between(head: str, key: str, digits: int = 2) -> Column:
    """Return the column of the range from `key.low` to `key.high`; its cell is a dash for missing values."""
    keys = (f"{key}.low", f"{key}.high")

    def text(row: Row) -> str:
        return NOTHING if row[list(keys)].isna().any() else " to ".join(number(row[each], digits) for each in keys)

    return Column(head, keys, text)


COLUMNS = (
    DECODER,
    Column("projected to", ("projected_model", "device"), lambda row: f"{row['projected_model']}, {row['device']}"),
    between("reference (s)", "reference_s"),
    between("decoder (s)", "decoder_s"),
    between("speedup", "projected_speedup"),
)


def table(results: Results, target: Target | None = None) -> Table | None:
    """Return the table of the runs that can be projected; by default to all devices, in the shape of their family.

    Raises ValueError for a run whose attention is not that of the target's model.
    """
    results = results.only(set(results.runs["run_id"]) - set(obstacles(results)))
    aim = target or Target()
    share = f" It is a response's share of a batch of {aim.batch}." if aim.batch > 1 else ""
    parts = [
        (f"{source(group.rows.iloc[0])}: {group.panel_title}", rows(results, group.rows, aim))
        for group in results.groups
    ]
    missing = any(part["reference_s.low"].isna().any() for _, part in parts)
    return make_table(
        "projected",
        "Projected, not measured",
        "Seconds per response that a roofline gives for the forwards that a run counted (nodes, rows, rows with "
        "logits, context), with its own lengths, in the shape of a published model in bfloat16, engine "
        f"{aim.engine}.{share} Ranges span what software may reach of a device: stated shares of its data sheet's peak "
        "rates, and stated times of launches. The speedup's range takes the same reading for both sides. A model of "
        "that size may count other forwards. docs/when-drafting-pays.md has the assumptions, and how they compare with "
        "published times.",
        COLUMNS,
        parts,
        marks_of(results.groups),
        [TOO_LARGE] if missing else [],
        words=2,
    )
