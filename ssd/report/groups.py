"""Groups of runs that may be compared, their titles, and the label of each run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd

from ssd.metrics.bootstrap import FEW
from ssd.report.names import commits, numbers
from ssd.report.run_labels import labelled
from ssd.report.runs import with_defaults
from ssd.report.titles import CHECKSUM, CIRCUMSTANCES, EXPERIMENT, NO_MATTER, shared_settings, title_parts


@dataclass(frozen=True, eq=False)
class Run:
    """A row of the frame of runs with its label.

    shown_for: the runs that it represents where not all are shown, such as `fastest of 24`.
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
        return bool(pd.notna(self.row["speedup.ratio"]))

    @property
    def name(self) -> str:
        """The label, with the runs that it represents."""
        return f"{self.label} ({self.shown_for})" if self.shown_for else self.label


@dataclass(frozen=True, eq=False)
class Group:
    """Runs that differ only in their decoder, and perhaps in the code; all are compared with one reference.

    parts: model, task, and the differences from other groups; rows: rows of the frame of runs with two more columns,
    `label` and `mark`; marks: the commit of each `mark`, where there are several; shared: parts that all groups have;
    numbered: what the numbers in `parts` stand for.
    """

    parts: tuple[str, ...]
    rows: pd.DataFrame
    marks: Mapping[str, str]
    shared: tuple[str, ...] = ()
    numbered: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Model, task, and in what the group differs from others."""
        model, task, *others = self.parts
        return ", ".join((model, task, *(part for part in others if part not in self.shared)))

    @property
    def panel_title(self) -> str:
        """The title with the number of prompts."""
        prompts = f"{self.rows['prompts'].iloc[0]:.0f}"
        return f"{self.title.removesuffix(f', prompts {prompts}')}, n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{prompts}"

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        return tuple(Run(row["label"], row) for _, row in self.rows.iterrows())

    def having(self, holds: Callable[[Run], bool]) -> Group:
        """Return the same group with only the runs for which `holds` is true."""
        return replace(self, rows=self.rows.loc[[bool(holds(run)) for run in self.runs]])


def groups(runs: pd.DataFrame, across: tuple[str, ...] = ()) -> list[Group]:
    """Return finished runs by model, task, reference, experiment and circumstances, with titles that differ.

    across: beginnings of columns that do not separate groups.
    """
    done = with_defaults(runs[runs["status"] == "done"].reset_index(drop=True))
    if done.empty:
        return []
    experiment = [
        name
        for name in map(str, done)
        if name.startswith(EXPERIMENT) and name not in NO_MATTER and not name.startswith(across)
    ]
    circumstances = [name for name in CIRCUMSTANCES if name in done and not name.startswith(across)]
    splitting = ["model", "task", "compared_with", *circumstances, *experiment, "prompts"]
    marks, notes = commits(done)
    done = done.assign(mark=marks)
    parts_of = title_parts(done, splitting)
    found = []
    for _, rows in done.groupby(done[splitting].map(str).agg("|".join, axis=1), sort=False):
        several = rows["mark"].nunique() > 1
        shown = {mark: notes[mark] for mark in notes if several and mark in set(rows["mark"])}
        parts = parts_of(rows.iloc[0])
        numbered = {part: str(rows.iloc[0][CHECKSUM])[:7] for part in parts if part.startswith("checkpoint ")}
        found.append(Group(parts, labelled(rows if several else rows.assign(mark="")), shown, numbered=numbered))
    apart = sorted(_apart(found), key=lambda group: group.parts)
    shared = tuple(part for part in apart[0].parts[2:] if all(part in group.parts for group in apart))
    return [replace(group, shared=shared) for group in apart]


def marks_of(found: Sequence[Group]) -> dict[str, str]:
    """Return the meaning of the marks of all these groups."""
    return {mark: meaning for group in found for mark, meaning in sorted(group.marks.items())}


def notes_of(found: Iterable[Group]) -> list[str]:
    """Return what all these groups have in common, what the numbers in titles stand for, and if prompts are few."""
    found = list(found)
    settings = shared_settings(pd.concat([group.rows for group in found])) if found else ()
    parts = dict.fromkeys((*group.shared, *settings) for group in found)
    numbered = {part: value for group in found for part, value in group.numbered.items()}
    meanings = "; ".join(f"{part}: {value}" for part, value in numbered.items())
    few = f"Intervals of fewer than {FEW} prompts or timed batches mean little."
    return [
        *(f"Throughout: {', '.join(shared)}." for shared in parts if shared),
        *([f"{meanings}."] if meanings else []),
        *([few] if any(not are_enough(group.rows).all() for group in found) else []),
    ]


def are_enough(rows: pd.DataFrame) -> pd.Series:
    """Return for each run whether it has enough prompts, timed in enough turns, for its intervals."""
    turns = rows["turns"].fillna(rows["prompts"]) if "turns" in rows else rows["prompts"]
    return pd.to_numeric(rows["prompts"].where(rows["prompts"] < turns, turns)) >= FEW


def _apart(found: Sequence[Group]) -> Iterator[Group]:
    """Return the groups; two with the same parts have different prompts, which get a number."""
    titles = Counter(group.parts for group in found)
    asked = [str(group.rows.iloc[0].get("config.task.sha256")) for group in found]
    doubled = [titles[group.parts] > 1 for group in found]
    number = numbers(sha256 for sha256, is_doubled in zip(asked, doubled, strict=True) if is_doubled)
    for group, sha256, is_doubled in zip(found, asked, doubled, strict=True):
        part = f"prompt set {number[sha256]}" if is_doubled else ""
        numbered = {**group.numbered, part: sha256[:7]}
        yield replace(group, parts=(*group.parts, part), numbered=numbered) if is_doubled else group
