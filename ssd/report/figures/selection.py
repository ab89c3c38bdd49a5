"""Which runs stand side by side in a panel, what they are called, and which are shown where there are many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ssd.report import groups as comparable

FEW = 3
"""Up to so many settings of a decoder are all shown."""


@dataclass(frozen=True, eq=False)
class Run:
    """A row of the frame of runs, by the name that tells it from the others of its group.

    shown_for: what it stands for where not all settings are shown, such as `fastest of 24`.
    """

    label: str
    row: pd.Series
    shown_for: str = ""

    @property
    def run_id(self) -> str:
        return self.row["run_id"]

    @property
    def decoder(self) -> str:
        return self.row["decoder"]

    @property
    def is_timed(self) -> bool:
        return pd.notna(self.row["speedup.ratio"])

    @property
    def name(self) -> str:
        """The label, with what it stands for."""
        return f"{self.label} ({self.shown_for})" if self.shown_for else self.label


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that may be compared. title: how they differ from other groups; common: what all groups have in common;
    versions: a mark for each state of the code that measured them.
    """

    title: str
    common: str
    versions: frozenset[str]
    runs: tuple[Run, ...]

    def having(self, holds: Callable[[Run], bool]) -> Group:
        """The same group with only the runs of which this holds."""
        return replace(self, runs=tuple(run for run in self.runs if holds(run)))


def groups(stored: pd.DataFrame) -> list[Group]:
    """The finished runs that may be compared with each other, group by group."""
    found = comparable.groups(stored)
    shared = [part for part in (found[0].parts[2:] if found else ()) if all(part in group.parts for group in found)]
    groups = []
    for group in found:
        (model, task, *others), prompts = group.parts, f"{group.rows['prompts'].iloc[0]:.0f}"
        told = [part for part in others if part not in (*shared, f"prompts {prompts}")]
        told.append(f"n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{prompts}")
        versions = frozenset(group.rows["mark"])
        runs = tuple(Run(row["label"], row) for _, row in group.rows.iterrows())
        groups.append(Group(", ".join((model, task, *told)), ", ".join(shared), versions, runs))
    return groups


def extremes(group: Group) -> list[Run]:
    """Every run of the group; of a decoder with many settings the fastest and the slowest."""
    chosen = []
    for runs in _by_decoder(group.runs):
        chosen += runs if len(runs) <= FEW else _ends(runs)
    return chosen


def fastest(group: Group) -> list[Run]:
    """The fastest run of every decoder."""
    return [_ends(runs)[0] for runs in _by_decoder(group.runs)]


def _ends(runs: Sequence[Run]) -> list[Run]:
    """The first and the last of a decoder's timed runs, or by forwards of all if none was timed.

    Each says how many it stands for, in words that stay on one line.
    """
    if len(runs) == 1:
        return list(runs)
    timed = [run for run in runs if run.is_timed]
    ranked = timed or runs
    fast, slow = ("fastest", "slowest") if timed else ("least NFE", "most NFE")
    among = f" of {len(ranked)}{' timed' if len(ranked) < len(runs) else ''}"
    ends = [(ranked[0], fast + among), (ranked[-1], slow + among)][: len(ranked)]
    return [replace(run, shown_for=told.replace(" ", "\N{NO-BREAK SPACE}")) for run, told in ends]


def small_print_of(shown: Iterable[Group]) -> list[str]:
    """What the groups shown have in common, and a remark where they were not all measured by the same code."""
    shown = list(shown)
    versions = len({version for group in shown for version in group.versions})
    return [
        *dict.fromkeys(f"Throughout: {group.common}." for group in shown if group.common),
        f"Measured by {versions} versions of the code; the tables name them." if versions > 1 else "",
    ]


def _by_decoder(runs: Iterable[Run]) -> Iterator[list[Run]]:
    """The runs of each decoder, fastest first; after those that were timed the others, by their forwards."""

    def pace(run: Run) -> tuple[bool, float]:
        return run.is_timed, run.row["speedup.ratio"] if run.is_timed else run.row["nfe.ratio"]

    runs = list(runs)
    for decoder in dict.fromkeys(run.decoder for run in runs):
        yield sorted((run for run in runs if run.decoder == decoder), key=pace, reverse=True)
