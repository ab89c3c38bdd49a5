"""Texts of numbers in a table, and the choice of the best."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from ssd.report.count_as_published import COUNTED
from ssd.report.groups import are_enough
from ssd.report.tables.table import AS_PUBLISHED, BROKEN, LOSSY, Best, Column, Row

NOTHING = "–"
BEST = "Bold: best of the lossless decoders of its group, where its interval or exact count is better than all others."


def number(value: Any, digits: int = 2, factor: float = 1.0) -> str:
    """Return a number with this number of decimals; a dash for a missing one."""
    if value is None or pd.isna(value):
        return NOTHING
    text = f"{value * factor:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def figure(key: str, digits: int = 2, factor: float = 1.0) -> Callable[[Row], str]:
    """Return the function row → text of one number."""
    return lambda row: number(row.get(key), digits, factor)


def percent(key: str, digits: int = 1) -> Callable[[Row], str]:
    return figure(key, digits, 100)


def words(key: str) -> Callable[[Row], str]:
    """Return the function row → text of a value that may be missing."""

    def text(row: Row) -> str:
        value = row.get(key)
        return NOTHING if value is None or (not isinstance(value, list) and pd.isna(value)) else str(value)

    return text


def number_column(head: str, key: str, digits: int = 2, best: Best | None = None) -> Column:
    return Column(head, (key,), figure(key, digits), best)


def percent_column(head: str, key: str) -> Column:
    return Column(head, (key,), percent(key))


def text_column(head: str, key: str) -> Column:
    return Column(head, (key,), words(key))


def speedup(row: Row) -> str:
    """Return ratio and interval."""
    return interval(row.get("speedup.ratio"), row.get("speedup.low"), row.get("speedup.high"))


def interval(value: Any, low: Any, high: Any, digits: int = 2, factor: float = 1.0) -> str:
    if low is None or pd.isna(low):
        return number(value, digits, factor)
    return f"{number(value, digits, factor)} [{number(low, digits, factor)}, {number(high, digits, factor)}]"


CHANGE = tuple(f"accuracy_difference.{key}" for key in ("difference", "low", "high"))


def change(row: Row) -> str:
    """Return the difference of accuracies in percentage points, with its interval."""
    texts = [number(row.get(key), 1, 100) for key in CHANGE]
    signed = [text if text.startswith("−") or text in ("0.0", NOTHING) else f"+{text}" for text in texts]
    return NOTHING if texts[0] == NOTHING else f"{signed[0]} [{signed[1]}, {signed[2]}]"


def acceptance(row: Row) -> str:
    """Return the acceptance length; a dash for decoders without drafts."""
    return figure("acceptance_length.mean")(row) if row.get("acceptance_length.rate_by_depth") else NOTHING


ALGORITHMIC = ("identity.algorithmic", "identity.other_order.algorithmic")
"""Counts that refute a claim to be lossless: other responses, and other orders of commitment."""


def decoder_marks(row: Row) -> tuple[str, ...]:
    """Return the marks for lossy or broken, for forwards counted as published, and for one of several commits."""
    broken = lossless(row) and any((row.get(cases) or 0) > 0 for cases in ALGORITHMIC)
    kind = BROKEN if broken else "" if lossless(row) else LOSSY
    counted = AS_PUBLISHED if row.get(COUNTED) else ""
    return tuple(mark for mark in (kind, counted, row.get("mark")) if mark)


def lossless(row: Row) -> bool:
    return row.get("claims_lossless") is True or row.get("claims_lossless") == 1


def best_count(key: str, least: bool = True) -> Best:
    """Return the rule for exact counts: the extreme ones of lossless decoders, unless all are equal."""

    def best(rows: pd.DataFrame) -> pd.Series:
        values = pd.to_numeric(rows[key]).where(_eligible(rows))
        extreme = values.min() if least else values.max()
        return (values == extreme) & (values.nunique() > 1)

    return best


def best_speedup(rows: pd.DataFrame) -> pd.Series:
    """Return the fastest lossless decoder, if its interval is above 1 and above those of all others.

    Runs of few prompts are never bold: their intervals mean little.
    """
    eligible = _eligible(rows) & are_enough(rows)
    ratio, low, high = (pd.to_numeric(rows[f"speedup.{name}"]).where(eligible) for name in ("ratio", "low", "high"))
    if ratio.notna().sum() < 2:
        return pd.Series(False, index=rows.index)
    is_first = pd.Series(rows.index == ratio.idxmax(), index=rows.index)
    ahead = bool(low[is_first].item() > max(1.0, high.fillna(ratio)[~is_first].max()))
    return is_first & ahead


def _eligible(rows: pd.DataFrame) -> pd.Series:
    marks = [decoder_marks(row) for _, row in rows.iterrows()]
    return pd.Series([not {LOSSY, BROKEN} & set(each) for each in marks], index=rows.index)
