"""The tables of bench_forward and bench_tokens."""

from __future__ import annotations

from collections.abc import Sequence
from string import Formatter
from typing import Any

from rich.table import Table

COLUMNS = {
    "engine": "{engine}",
    "nodes": "{nodes}",
    "ms": "{ms:.2f}",
    "to one node": "{to_one_node:.2f}",
    "rows per s": "{rows_per_s:,.0f}",
    "MB": "{megabytes:,.1f}",
    "GFLOP": "{gigaflops:,.2f}",
    "floor ms": "{floor_ms:.3f}",
    "to floor": "{to_floor:.2f}",
    "MBU": "{mbu:.1%}",
}
GROWTH_COLUMNS = {
    "engine": "{engine}",
    "gen_length": "{gen_length}",
    "NFE": "{nfe}",
    "refresh ms": "{refresh_ms:.2f}",
    "decode ms": "{decode_ms:.2f}",
    "s per response": "{seconds:.3f}",
    "ms per token": "{ms_per_token:.2f}",
}
ATTENTION_COLUMNS = {
    "nodes": "{nodes}",
    "eager": "{eager:.3f}",
    "one softmax": "{at_once:.3f}",
    "in parts": "{in_parts:.3f}",
    "static, packed": "{static_packed:.3f}",
    "static, in parts": "{static_in_parts:.3f}",
}
LOOP_COLUMNS = {
    "engine": "{engine}",
    "decoder": "{decoder}",
    "s": "{seconds:.3f}",
    "NFE": "{nfe}",
    "nodes": "{nodes:.1f}",
    "outside the model": "{outside:.1%}",
    "speedup": "{speedup:.2f}",
    "predicted": "{predicted_speedup:.2f}",
}

CACHE_COLUMNS = {
    "cache": "{cache}",
    "NFE": "{nfe}",
    "rows": "{rows}",
    "ms": "{ms:.2f}",
    "ms, window of as many rows": "{window_ms:.2f}",
    "to window": "{to_window:.2f}",
}

SHAPE_COLUMNS = {
    "block": "{block}",
    "nodes": "{nodes}",
    "eager": "{eager:.2f}",
    "ours": "{ours:.2f}",
    "compile": "{compile:.2f}",
    "products": "{products:.2f}",
    "floor": "{floor:.2f}",
    "eager / ours": "{to_eager:.2f}",
    "ours / products": "{to_products:.2f}",
    "ours / floor": "{to_floor:.2f}",
}

TOKEN_COLUMNS = {
    "gen_length": "{gen_length:,}",
    "blocks decoded": "{blocks} of {of_blocks}",
    "positions per token": "{positions:,.0f}",
    "ms per token": "{ms_per_token:.2f}",
    "ms of the median step": "{plain_ms:.2f}",
    "refreshes": "{refreshes:.0%}",
}

RULE_COLUMNS = {
    "rule": "{rule}",
    "ms": "{outside_ms:.2f}",
    "to threshold": "{to_threshold:.2f}",
}


def table(title: str, columns: dict[str, str], rows: Sequence[dict[str, Any]]) -> Table:
    """Return a table of one line per row; a column's template is filled from the row, and empty for None."""
    drawn = Table(title=title, title_justify="left")
    for name in columns:
        drawn.add_column(name, justify="right")
    for row in rows:
        drawn.add_row(*(_cell(template, row) for template in columns.values()))
    return drawn


def _cell(template: str, row: dict[str, Any]) -> str:
    if any(name and row[name] is None for _, name, _, _ in Formatter().parse(template)):
        return ""
    return template.format(**row)
