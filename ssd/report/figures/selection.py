"""Which runs stand side by side in a panel, what they are called, and which are shown where there are many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ssd.report import comparable

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


def groups(runs: pd.DataFrame) -> list[Group]:
    """The finished runs that may be compared with each other, group by group."""
    found = comparable.groups(runs)
    parts = [group.title.split(", ") for group in found]
    common = [part for part in (parts[0][2:] if parts else ()) if all(part in others for others in parts)]
    groups = []
    for group, (model, task, *others) in zip(found, parts, strict=True):
        told = [part for part in others if part not in common and not part.startswith("prompts ")]
        told.append(f"n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{group.rows['prompts'].iloc[0]:.0f}")
        versions = frozenset(group.rows["mark"])
        groups.append(Group(", ".join((model, task, *told)), ", ".join(common), versions, tuple(_runs(group.rows))))
    return groups


def extremes(group: Group) -> list[Run]:
    """Every run of the group; of a decoder with many settings the fastest and the slowest."""
    chosen = []
    for runs in _by_decoder(group.runs):
        if len(runs) <= FEW:
            chosen += runs
        else:
            chosen += [_standing_for(runs, 0, "fastest"), _standing_for(runs, -1, "slowest")]
    return chosen


def fastest(group: Group) -> list[Run]:
    """The fastest run of every decoder."""
    return [_standing_for(runs, 0, "fastest") for runs in _by_decoder(group.runs)]


def _standing_for(runs: Sequence[Run], place: int, how: str) -> Run:
    """One of a decoder's runs, which says how many it stands for; its words stay on one line."""
    return replace(runs[place], shown_for=f"{how} of {len(runs)}".replace(" ", "\N{NO-BREAK SPACE}") * (len(runs) > 1))


def small_print_of(shown: Iterable[Group]) -> list[str]:
    """What the groups shown have in common, and a remark where they were not all measured by the same code."""
    shown = list(shown)
    versions = len({version for group in shown for version in group.versions})
    return [
        *dict.fromkeys(f"Throughout: {group.common}." for group in shown if group.common),
        f"Measured by {versions} versions of the code; the tables name them." if versions > 1 else "",
    ]


def _runs(rows: pd.DataFrame) -> Iterator[Run]:
    """Where the reference pays for nodes that it does not need (locked numerics) there is no speedup: NaN."""
    for _, row in rows.iterrows():
        if row.get("config.runtime.numerics") == "locked":
            row = row.copy()
            row[["speedup.ratio", "speedup.low", "speedup.high", "predicted_speedup"]] = float("nan")
        yield Run(row["label"], row)


def _by_decoder(runs: Iterable[Run]) -> Iterator[list[Run]]:
    """The runs of each decoder, fastest first. Of many only those that were timed, or by forwards if none was."""

    def pace(run: Run) -> float:
        return run.row["speedup.ratio"] if run.is_timed else run.row["nfe.ratio"]

    runs = list(runs)
    for decoder in dict.fromkeys(run.decoder for run in runs):
        siblings = [run for run in runs if run.decoder == decoder]
        timed = [run for run in siblings if run.is_timed]
        yield sorted(timed if len(siblings) > FEW and timed else siblings, key=pace, reverse=True)
