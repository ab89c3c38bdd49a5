"""Published figures beside measured ones."""

from __future__ import annotations

from ssd.report.count_as_published import COUNTED
from ssd.report.published import RATIOS, beside_measured
from ssd.report.results import Results
from ssd.report.tables.table import AS_PUBLISHED, MARKS, Column, Row, Table, make_table
from ssd.report.tables.words import NOTHING, number_column, text_column

ALONE = "Published, without a comparable run"


def metric(row: Row) -> str:
    """Return the metric with its unit: accuracy (%), tokens/s, latency (s)."""
    names = {"accuracy_percent": "accuracy (%)", "tokens_per_s": "tokens/s", "latency_s": "latency (s)", "nfe": "NFE"}
    ratios = {"nfe_ratio": "NFE ratio", "steps_reduction_percent": "steps saved (%)"}
    return {**names, **ratios}.get(row["metric"], row["metric"])


def asked(row: Row) -> str:
    """Return length and block length of the responses."""
    return "/".join(row[name] or NOTHING for name in ("gen_length", "block_length"))


def source(row: Row) -> str:
    return ", ".join(part for part in (row["paper"], row["table_or_section"], row["seen"].replace("_", " ")) if part)


def setting(row: Row) -> str:
    return ", ".join(part for part in (row["setting"], row["hardware"]) if part) or NOTHING


def measured_on(row: Row) -> str:
    return NOTHING if row["run_id"] is None else f"{row['cache']} cache, {row['device']}"


COLUMNS = (
    text_column("method", "method"),
    Column("model", ("model",), lambda row: (row["model"] or NOTHING).rpartition("/")[2]),
    Column("task", ("task",), lambda row: row["task"] or NOTHING),
    Column("length/block", ("gen_length", "block_length"), asked),
    Column("source", ("paper", "table_or_section", "seen"), source),
    Column("published under", ("setting", "hardware", "note"), setting),
    Column("measured under", ("run_id", "cache", "device"), measured_on),
    Column("metric", ("metric",), metric),
    number_column("published", "value"),
    number_column("measured", "measured"),
    number_column("measured on n", "prompts", 0),
)


def table(results: Results) -> Table | None:
    """Return the table; None without a measured decoder that has published numbers."""
    rows = beside_measured(results)
    found = rows[rows["run_id"].notna()]
    alone = rows[
        rows["run_id"].isna() & rows["metric"].isin(RATIOS) & rows["method"].isin(set(results.done["decoder"]))
    ]
    parts = [
        (f"{str(model).rpartition('/')[2]}, {task}", part) for (model, task), part in found.groupby(["model", "task"])
    ]
    return make_table(
        "published",
        "Published beside measured",
        "A published figure has a measured one beside it where the settings agree: model, task, response length, block "
        "length, method, greedy decoding with one token per step, and what the source states of cache, examples, batch "
        "size and the decoder's options. Other circumstances are named and may differ. n: prompts. Tokens/s count "
        "tokens before the first end token; sources that count otherwise have none here. Of figures without such a run "
        "only ratios are listed. results/published has all figures with their sources.",
        COLUMNS if parts else [column for column in COLUMNS if not column.head.startswith("measured")],
        [*parts, (ALONE, alone)],
        notes=[f"NFE of fast_dllm: {MARKS[AS_PUBLISHED]}."] if COUNTED in results.runs else [],
        words=8 if parts else 7,
    )
