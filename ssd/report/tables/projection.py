"""Tables of the roofline itself: published times, speedups and steps beside it, and costs of verifications."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ssd.report.projection.checks import checks, speedups, times
from ssd.report.projection.costs import SSD_ON, STEPS_SAVED, node_costs, saved_steps
from ssd.report.projection.devices import devices
from ssd.report.projection.engines import ENGINES
from ssd.report.projection.projected import Target
from ssd.report.tables.projected import between
from ssd.report.tables.table import Column, Row, Table, make_table
from ssd.report.tables.words import number_column, text_column

ASSUMED = {
    "matrices": ("share of the peak rate, products with weights", 1),
    "attention": ("share of the peak rate, attention", 1),
    "memory": ("share of the peak bandwidth", 1),
    "bytes_per_logit": ("bytes moved per logit", 1),
    "kernels_s": ("µs per layer, kernels between the products", 1e6),
    "host_s": ("µs per layer, launches by the host; the device works meanwhile", 1e6),
    "loop_s": ("ms per forward, outside the model", 1e3),
}
"""Fields of an engine: in words, and the factor of their unit."""
UNITS = {"tokens_per_s": "tokens/s", "latency_s": "s per response"}


def _what(row: Row) -> str:
    model = row["model"].rpartition("/")[2]
    setting = row["setting"].removeprefix("of the whole paper: ").partition(",")[0]
    return ", ".join(part for part in (model, row["task"], row["gen_length"], setting) if part)


SOURCE = Column("source", ("source", "paper"), lambda row: f"{row['source']} ({row['paper']})")
PUBLISHED_FOR = Column("published for", ("model", "task", "gen_length", "setting"), _what)
BESIDE = (
    number_column("published / middle", "published_to_middle"),
    Column("inside", ("is_inside",), lambda row: "yes" if row["is_inside"] else "no"),
)


def published_times() -> Table | None:
    return make_table(
        "projected_times",
        "Projected beside published: times",
        "From the forwards that a source counts, in bfloat16, batch 1, engine transformers. Middle: the geometric "
        "mean of the range. The range of tokens/s also spans how many tokens may have been counted.",
        (
            SOURCE,
            PUBLISHED_FOR,
            Column("device", ("device",), lambda row: devices()[row["device"]].title),
            Column("unit", ("metric",), lambda row: UNITS[row["metric"]]),
            number_column("published", "published", 1),
            between("projected", "projected", 1),
            *BESIDE,
        ),
        [("", times())],
        notes=[f"{check['source']}: {check['assumed']}." for check in checks() if check["assumed"]],
        words=4,
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
            number_column("published", "published"),
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
            text_column("model", "model"),
            text_column("engine", "engine"),
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
        f"bfloat16, batch {target.batch}. n nodes: seconds over those of one node. A draft pays if its forward commits "
        "more tokens than it costs. Free rows: for fewer rows than these, reading the weights takes longer than the "
        "products.",
        (
            text_column("model", "model"),
            text_column("device", "device"),
            between("free rows", "free", 0),
            between("one node (ms)", "one", 1),
            *(between(f"{count} nodes", f"{count}", 1) for count in nodes),
        ),
        [("", rows)],
        words=2,
    )


def assumptions() -> list[Table | None]:
    """Return the tables of the devices' data sheets and of what software reaches of them."""
    sheets = [
        {"name": name, "tflops": each.flops_per_s / 1e12, "gb_per_s": each.bytes_per_s / 1e9, "source": each.source}
        for name, each in devices().items()
    ]
    pairs = [
        {"what": what, **{name: _pair(getattr(each, key), scale) for name, each in ENGINES.items()}}
        for key, (what, scale) in ASSUMED.items()
    ]
    return [
        make_table(
            "projected_devices",
            "Devices of projections",
            "Peak rates: bfloat16 products without sparsity, and the memory.",
            (
                text_column("device", "name"),
                text_column("data sheet", "source"),
                number_column("TFLOP/s", "tflops", 1),
                number_column("GB/s", "gb_per_s", 0),
            ),
            [("", pd.DataFrame(sheets))],
            words=2,
        ),
        make_table(
            "projected_engines",
            "What software reaches of a device",
            "Assumptions: the best and the worst that a projection takes. transformers: most published code.",
            (text_column("assumed", "what"), *(text_column(name, name) for name in ENGINES)),
            [("", pd.DataFrame(pairs))],
        ),
    ]


def _pair(pair: tuple[float, float], scale: float) -> str:
    low, high = (f"{scale * each:g}" for each in pair)
    return low if low == high else f"{low} to {high}"
