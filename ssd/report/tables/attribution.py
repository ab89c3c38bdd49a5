"""How well pairs of runs can be told apart by their directed decoding maps."""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from ssd.metrics.decoding_map import separation
from ssd.report.decoding_maps import Maps, maps_of
from ssd.report.groups import Group, Run
from ssd.report.results import Results
from ssd.report.tables.table import Table, make_table
from ssd.report.tables.words import number_column, percent_column, text_column

FEWEST = 4
"""Prompts that two runs must share: two for fitting, two held out."""


class Mapped(NamedTuple):
    """A run with maps; parts: its label, model, task, and in what its group differs from others."""

    run: Run
    parts: tuple[str, ...]
    maps: Maps


def table(results: Results) -> Table | None:
    """Return the table; None unless two runs with runtime.confidences=true differ in one thing."""
    maps = maps_of(results)
    mapped = [each for group in results.groups for each in _mapped(group, maps)]
    rows = [row for pair in combinations(mapped, 2) if (row := _row(*pair)) is not None]
    return make_table(
        "attribution",
        "Attribution by directed decoding maps",
        "Pairs of runs that differ in one thing. AUC: how well their maps can be told apart on held-out prompts, by a "
        "Gaussian per cell (arXiv 2510.05148); 0.5: not at all. Equal maps: share of prompts with equal maps.",
        (
            *(text_column(name, name) for name in ("first", "second", "both")),
            number_column("prompts", "prompts", 0),
            percent_column("equal maps (%)", "equal_maps"),
            number_column("AUC", "auc", 3),
        ),
        [("", pd.DataFrame(rows))],
        words=3,
    )


def _mapped(group: Group, maps: dict[tuple[str, str], Maps]) -> list[Mapped]:
    own = [part for part in group.parts if part not in group.shared]
    found = [(run, maps.get((run.run_id, "decoder"))) for run in group.runs]
    return [Mapped(run, (run.label, *own), each) for run, each in found if each]


def _row(first: Mapped, second: Mapped) -> dict[str, object] | None:
    """Return the pair's row; None for runs that differ in several things, or share too few prompts."""
    only_first, only_second = (
        [part for part in each.parts if part not in other.parts] for each, other in ((first, second), (second, first))
    )
    shared = sorted(first.maps.keys() & second.maps.keys())
    if not len(only_first) == len(only_second) == 1 or len(shared) < FEWEST:
        return None
    shape = np.max([found.shape for each in (first, second) for found in each.maps.values()], axis=0)
    left, right = (np.stack([_padded(each.maps[place], shape) for place in shared]) for each in (first, second))
    return {
        "first": only_first[0],
        "second": only_second[0],
        "both": ", ".join(part for part in first.parts if part in second.parts),
        "prompts": len(shared),
        "equal_maps": float((left == right).all(axis=1).mean()),
        "auc": separation(left, right),
    }


def _padded(found: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """Return a map as one row of cells. A response of fewer steps has empty ones at its end."""
    missing = [(0, int(length) - size) for length, size in zip(shape, found.shape, strict=True)]
    return np.pad(found, missing).ravel()
