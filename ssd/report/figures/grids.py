"""Maps over depth and width: the runs of each map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pandas as pd

from ssd.report.groups import Group
from ssd.report.labels import differing, is_number, shown_options, value_text

DEPTH, WIDTH, BUILDER = (f"config.decoder.{name}" for name in ("depth", "width", "builder"))
CHAIN = "chain"


class Grid(NamedTuple):
    """A map. cells: values by depth (rows) and width (columns), NaN without a run; has_chain: width 1 is the chain."""

    title: str
    cells: pd.DataFrame
    has_chain: bool


def grids(group: Group, value: str) -> Iterator[Grid]:
    """Return the maps of each decoder: one for each set of its other options. A cell has one run.

    Runs without this value, or without a number for depth or width, are left out. So are maps of a single cell.
    """
    rows = [run.row for run in group.runs if pd.notna(run.row.get(value)) and is_number(run.row.get(DEPTH))]
    frame = pd.DataFrame([row for row in rows if _width(row)], dtype=object)
    if frame.empty:
        return
    frame = frame.assign(depth=frame[DEPTH].astype(int), width=[_width(row) or 1 for _, row in frame.iterrows()])
    for decoder, runs in frame.groupby("decoder"):
        options = [name for name in shown_options(frame) if name not in (DEPTH, WIDTH, BUILDER)]
        found = [
            (options_told, builder, code_told, trees)
            for options_told, lot in _split(runs, differing(runs[options].to_dict("records")))
            for builder, same in _by_builder(lot)
            for code_told, trees in _unlike(same)
        ]
        several = len({builder for _, builder, _, _ in found}) > 1
        for options_told, builder, code_told, trees in found:
            if len(trees) > 1:
                told = (str(decoder), f"builder={builder}" if several else "", options_told, code_told)
                cells = trees.pivot(index="depth", columns="width", values=value).astype(float)
                has_chain = builder != CHAIN and BUILDER in trees and bool((trees[BUILDER] == CHAIN).any())
                yield Grid(f"{group.panel_title}: {' '.join(word for word in told if word)}", cells, has_chain)


def _by_builder(runs: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Return the runs of each builder. Chains are added to builders without trees of width 1."""
    builders = runs[BUILDER].map(str) if BUILDER in runs else pd.Series(CHAIN, index=runs.index)
    lots = dict(tuple(runs.groupby(builders)))
    chains = lots.pop(CHAIN, runs[:0])
    lacking = [builder for builder, trees in lots.items() if (trees["width"] > 1).all()]
    for builder, trees in lots.items():
        yield builder, pd.concat([chains, trees]) if builder in lacking else trees
    if len(chains) and not lacking:
        yield CHAIN, chains


def _unlike(runs: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Return the runs with one run per cell. Runs of one cell are separated by their code and runtime options."""
    cells = ["depth", "width"]
    ways = ["mark", *(name for name in map(str, runs) if name.startswith("config.runtime."))]
    twice = [cell for _, cell in runs[runs.duplicated(cells, keep=False)].groupby(cells)]
    varying = [name for name in ways if any(differing(cell[[name]].to_dict("records")) for cell in twice)]
    lots = [(told, lot.drop_duplicates(cells, keep="last")) for told, lot in _split(runs, varying)]
    maps = [(told, lot) for told, lot in lots if len(lot) > 1]  # a single cell is none
    yield from maps if len(maps) > 1 else (("", lot) for _, lot in maps)


def _split(runs: pd.DataFrame, names: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Return the runs in parts with equal values in these columns, and the words that name each part."""
    if not names:
        yield "", runs
        return
    for _, lot in runs.groupby([runs[name].map(str) for name in names]):
        yield " ".join(_words(lot.iloc[0], names)), lot


def _words(row: pd.Series, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        if pd.notna(row[name]):
            yield f"{'code' if name == 'mark' else name.rpartition('.')[2]}={value_text(row[name])}"


def _width(row: pd.Series) -> int | None:
    """Return the continuations per node; 1 for a chain, else None where the number is not stored."""
    width = row.get(WIDTH)
    if is_number(width):
        return int(width)
    return 1 if row.get(BUILDER) == CHAIN else None
