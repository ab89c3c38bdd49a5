"""Tables of the roofline itself: published times, speedups and steps beside it, and costs of verifications."""

from __future__ import annotations

from collections.abc import Sequence

from ssd.report.projection.checks import checks, speedups, times
from ssd.report.projection.costs import SSD_ON, STEPS_SAVED, node_costs, saved_steps
from ssd.report.projection.devices import devices
from ssd.report.projection.projected import Target
from ssd.report.tables.projected import between
from ssd.report.tables.table import Column, Row, Table, make_table
from ssd.report.tables.words import number, words

UNITS = {"tokens_per_s": "tokens/s", "latency_s": "s per response"}


def _what(row: Row) -> str:
    model, (setting, *_) = (
        row["model"].rpartition("/")[2],
        row["setting"].removeprefix("of the whole paper: ").split(","),
    )
    return ", ".join(part for part in (model, row["task"], row["gen_length"], setting) if part)


SOURCE = Column("source", ("source", "paper"), lambda row: f"{row['source']} ({row['paper']})")
PUBLISHED_FOR = Column("published for", ("model", "task", "gen_length", "setting"), _what)
BESIDE = (
    Column("published / middle", ("published_to_middle",), lambda row: number(row["published_to_middle"])),
    Column("inside", ("is_inside",), lambda row: "yes" if row["is_inside"] else "no"),
)


def published_times() -> Table | None:
    return make_table(
        "projected_times",
        "Projected beside published: times",
        "From the forwards that a source counts, in bfloat16, batch 1, engine transformers, on an A100. Middle: the "
        "geometric mean of the range. The range of tokens/s also spans how many tokens may have been counted.",
        (
            SOURCE,
            PUBLISHED_FOR,
            Column("unit", ("metric",), lambda row: UNITS[row["metric"]]),
            Column("published", ("published",), lambda row: number(row["published"], 1)),
            between("projected", "projected", 1),
            *BESIDE,
        ),
        [("", times())],
        notes=[f"{check['source']}: {check['assumed']}." for check in checks() if check["assumed"]],
        words=3,
    )


def published_speedups() -> Table | None:
    return make_table(
        "projected_speedups",
        "Projected beside published: speedups",
        "Of two times of the table above; the number of counted tokens cancels. A range takes one reading for both.",
        (
            SOURCE,
            PUBLISHED_FOR,
            Column("over", ("faster_than",), lambda row: row["faster_than"].split(",")[0]),
            Column("published", ("published",), lambda row: number(row["published"])),
            between("projected", "projected"),
            *BESIDE,
        ),
        [("", speedups())],
        words=3,
    )


def steps() -> Table | None:
    return make_table(
        "projected_steps",
        "What saved forwards are worth in SSD's setting",
        "Speedup over stepwise decoding with the dual cache, length 256, block 8, batch 1, on an "
        f"{devices()[SSD_ON].title}, where a share of all forwards is saved. Refreshes are never saved; each other "
        "forward verifies 8 nodes. 75 %: a refresh and one verification per block, the most that is possible.",
        (
            Column("model", ("model",), words("model")),
            Column("engine", ("engine",), words("engine")),
            *(between(f"{share:.0%} saved", f"{share:.0%}") for share in STEPS_SAVED),
            between("refreshes' share of stepwise time", "refreshes"),
        ),
        [("", saved_steps())],
        words=2,
    )


def costs(target: Target, block: int, context: int, nodes: Sequence[int]) -> Table | None:
    """Return the table of `node_costs`, of LLaDA-8B if the target names no model."""
    rows = node_costs(target, block, context, nodes)
    return make_table(
        "projected_costs",
        f"Cost of a verification, block {block}",
        f"Projected, not measured: a window of {block} rows beside {context} cached positions, engine {target.engine}, "
        "bfloat16, batch 1. n nodes: seconds over those of one node. A draft pays if its forward commits more tokens "
        "than it costs.",
        (
            Column("model", ("model",), words("model")),
            Column("device", ("device",), words("device")),
            between("one node (ms)", "one", 1),
            *(between(f"{count} nodes", f"{count}", 1) for count in nodes),
        ),
        [("", rows)],
        words=2,
    )
