"""The label of each run in a group: its decoder, and the options in which that decoder's runs differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ssd.decoding.settings import LATER_BLOCKS
from ssd.report.labels import differing, shown_options, words
from ssd.report.names import short_paths

ORDER = ("stepwise", "ssd", "freedave", "spiffy", "psd", "fast_dllm", "wino", "apd")
LABELLING = ("config.decoder.", "config.runtime.repeats")
"""Options that labels show wherever they differ; others only where two runs would have one label."""
ACROSS_BLOCKS = tuple(f"decoder.{name}" for name in LATER_BLOCKS)
"""Options that make another decoder of one: labels show them also where all runs of a group share them."""


def labelled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in order, with `label`: the decoder and the options in which its runs differ."""
    places, labels = [], []
    for decoder in sorted(rows["decoder"].unique(), key=_rank):
        siblings = rows[rows["decoder"] == decoder]
        options = {place: _options(row, LABELLING) for place, row in siblings.iterrows()}
        names = differing(list(options.values()))
        shared = [name for name in ACROSS_BLOCKS if name not in names]
        names += [name for name in shared if any(own.get(name) for own in options.values())]
        shown = _with_short_paths(options, names)
        has_chain = {place: isinstance(row["hops"], list) for place, row in siblings.iterrows()}
        for place in sorted(options, key=lambda at: [_magnitude(options[at].get(name)) for name in names]):
            extra = ["untimed"] if siblings.loc[place].get("config.runtime.timing") is False else []
            extra += ["reference=chain"] if has_chain[place] and not all(has_chain.values()) else []
            places.append(place)
            labels.append(" ".join([str(decoder), *words(shown[place], names), *extra]))
    return _apart(rows.loc[places].assign(label=labels))


def _apart(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows; of runs with one label, each shows its other options, or else its number."""
    labels = rows["label"].copy()
    for _, alike in rows[rows["label"].duplicated(keep=False)].groupby("label"):
        options = {place: _options(row, ("config.",)) for place, row in alike.iterrows()}
        names = differing(list(options.values()))
        shown = _with_short_paths(options, names)
        found = pd.Series({place: " ".join([alike["label"][place], *words(shown[place], names)]) for place in options})
        numbered = found + " #" + (found.groupby(found).cumcount() + 1).astype(str)
        labels.update(found.where(~found.duplicated(keep=False), numbered))
    return rows.assign(label=labels)


def _options(row: pd.Series, groups: tuple[str, ...]) -> dict[str, Any]:
    """Return a run's options whose names begin with one of these words, without `config.`."""
    names = shown_options(row.index, groups)
    return {name.removeprefix("config."): row[name] for name in names if not _is_missing(row[name])}


def _with_short_paths(options: Mapping[Any, Mapping[str, Any]], names: list[str]) -> dict[Any, dict[str, Any]]:
    """Return the options of these names, in which paths have only the parts that differ."""
    shown: dict[Any, dict[str, Any]] = {place: {} for place in options}
    for name in names:
        paths = {own[name] for own in options.values() if isinstance(own.get(name), str) and "/" in own[name]}
        short = short_paths(paths)
        for place, own in options.items():
            value = own.get(name)
            shown[place][name] = short.get(value, value) if isinstance(value, str) else value
    return shown


def _is_missing(value: Any) -> bool:
    return isinstance(value, float) and pd.isna(value)


def _magnitude(value: Any) -> tuple[int, float, str]:
    """Return a key that sorts None first, then numbers, then words."""
    if isinstance(value, int | float):
        return (1, float(value), "")
    return (0, 0.0, "") if value is None else (2, 0.0, str(value))


def _rank(decoder: str) -> tuple[int, str]:
    return (ORDER.index(decoder), "") if decoder in ORDER else (len(ORDER), decoder)
