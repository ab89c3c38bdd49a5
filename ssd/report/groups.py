"""Groups of runs that may be compared, their titles, and the label of each run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from ssd.report.labels import NEVER_TOLD, differing, words

CHECKPOINT = {
    "config.model.path": "path", "config.model.revision": "revision", "environment.checkpoint": "checkpoint",
}  # fmt: skip
"""Columns in which two models of one name differ."""
CIRCUMSTANCES = {
    **CHECKPOINT, "environment.device_name": "", "environment.threads": "threads", "config.runtime.dtype": "",
    "config.runtime.numerics": "numerics", "config.runtime.engine": "engine", "config.runtime.batch_size": "batch",
    "environment.libraries.torch": "torch", "environment.cuda": "CUDA", "environment.attention_backend": "attention",
}  # fmt: skip
"""Circumstances that a measurement depends on, and their names in titles."""
ALWAYS_TOLD = ("environment.device_name", "config.runtime.dtype")
REFERENCE = "stepwise decoding"
"""The reference of a group whose title names no other."""
EXPERIMENT = ("config.generation.", "config.task.")
"""Options of the question and of generation: a speedup is relative to stepwise decoding with the same options."""
NO_MATTER = tuple(f"config.task.{name}" for name in ("name", "_target_", "path", "fewshot_path", "workers"))
ORDER = ("stepwise", "ssd", "freedave", "spiffy", "psd", "fast_dllm", "wino", "apd")
MARKS = "abcdefghijklmnopqrstuvwxyz"


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
    `label` and `mark`; marks: the commit of each `mark`, where there are several; shared: parts that all groups have.
    """

    parts: tuple[str, ...]
    rows: pd.DataFrame
    marks: Mapping[str, str]
    shared: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return ", ".join(self.parts)

    @property
    def panel_title(self) -> str:
        """The title without shared parts, with the number of prompts."""
        (model, task, *others), prompts = self.parts, f"{self.rows['prompts'].iloc[0]:.0f}"
        told = [part for part in others if part not in (*self.shared, f"prompts {prompts}")]
        return ", ".join((model, task, *told, f"n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{prompts}"))

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        return tuple(Run(row["label"], row) for _, row in self.rows.iterrows())

    def having(self, holds: Callable[[Run], bool]) -> Group:
        """Return the same group with only the runs for which `holds` is true."""
        return replace(self, rows=self.rows.loc[[bool(holds(run)) for run in self.runs]])


def groups(runs: pd.DataFrame) -> list[Group]:
    """Return finished runs by model, task, reference, experiment and circumstances, with titles that differ."""
    done = runs[runs["status"] == "done"].reset_index(drop=True).copy()
    if done.empty:
        return []
    experiment = [name for name in map(str, done) if name.startswith(EXPERIMENT) and name not in NO_MATTER]
    circumstances = [name for name in CIRCUMSTANCES if name in done]
    splitting = ["model", "task", "compared_with", *circumstances, *experiment, "prompts"]
    marks, notes = _commits(done)
    done = done.assign(mark=marks)
    told = [name for name in splitting if name in ("compared_with", *ALWAYS_TOLD) or _is_told(done, name)]
    found = []
    for _, rows in done.groupby(done[splitting].map(str).agg("|".join, axis=1), sort=False):
        several = rows["mark"].nunique() > 1
        shown = {mark: notes[mark] for mark in notes if several and mark in set(rows["mark"])}
        parts = tuple(_told(rows.iloc[0], ["model", "task", *told]))
        found.append(Group(parts, _labelled(rows if several else rows.assign(mark="")), shown))
    apart = sorted(_apart(found), key=lambda group: group.title)
    shared = tuple(part for part in apart[0].parts[2:] if all(part in group.parts for group in apart))
    return [replace(group, shared=shared) for group in apart]


def marks_of(found: Sequence[Group]) -> dict[str, str]:
    """Return the meaning of the marks of all these groups."""
    return {mark: meaning for group in found for mark, meaning in sorted(group.marks.items())}


def _apart(found: Sequence[Group]) -> Iterator[Group]:
    """Return the groups; two of one title have different prompts, whose hash the title then shows."""
    titles = Counter(group.title for group in found)
    for group in found:
        asked = str(group.rows.iloc[0].get("config.task.sha256"))[:6]
        yield group if titles[group.title] == 1 else replace(group, parts=(*group.parts, f"prompts {asked}"))


def _is_told(runs: pd.DataFrame, name: str) -> bool:
    """Return whether a column differs between runs of one model; for options, between runs of one model and task."""
    same = ["model"] if name in CHECKPOINT else ["model", "task"] if name.startswith(EXPERIMENT) else []
    lots = [rows for _, rows in runs.groupby(same)] if same else [runs]
    return any(rows[name].map(str).nunique() > 1 for rows in lots)


def _told(row: pd.Series, names: Iterable[str]) -> Iterator[str]:
    for name in dict.fromkeys(names):
        if name in ("model", "task", *ALWAYS_TOLD):
            yield str(row[name])
        elif name == "compared_with":
            yield from () if row[name] == REFERENCE else (f"against {row[name]}",)
        elif not name.endswith("sha256"):
            value = f"{row[name]:.0f}" if isinstance(row[name], float) and row[name] % 1 == 0 else row[name]
            value = str(value)[:7] if name == "environment.checkpoint" else value
            yield f"{CIRCUMSTANCES.get(name) or name.rpartition('.')[2]} {value}"


def _labelled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in order, with `label`: the decoder and the options in which its runs differ."""
    shown = [name for name in map(str, rows) if name.startswith(("config.decoder.", "config.runtime.repeats"))]
    shown = [name for name in shown if not name.endswith(NEVER_TOLD)]
    places, labels = [], []
    for decoder in sorted(rows["decoder"].unique(), key=_rank):
        siblings = rows[rows["decoder"] == decoder]
        options = {
            place: {name.removeprefix("config."): row[name] for name in shown} for place, row in siblings.iterrows()
        }
        names = differing(list(options.values()))
        has_chain = {place: isinstance(row["hops"], list) for place, row in siblings.iterrows()}
        for place in sorted(options, key=lambda at: [_magnitude(options[at][name]) for name in names]):
            extra = ["untimed"] if siblings.loc[place].get("config.runtime.timing") is False else []
            extra += ["reference=chain"] if has_chain[place] and not all(has_chain.values()) else []
            places.append(place)
            labels.append(" ".join([str(decoder), *words(options[place], names), *extra]))
    labelled = rows.loc[places].assign(label=labels)
    doubled = labelled["label"].duplicated(keep=False)
    return labelled.assign(label=labelled["label"] + (" #" + labelled["run_id"].str[-4:]).where(doubled, ""))


def _magnitude(value: Any) -> tuple[int, float, str]:
    """Return a key that sorts None first, then numbers, then words."""
    if isinstance(value, int | float):
        return (1, float(value), "")
    return (0, 0.0, "") if value is None else (2, 0.0, str(value))


def _commits(runs: pd.DataFrame) -> tuple[list[str], dict[str, str]]:
    """Return each run's letter for its state of the code, and the meaning of each letter."""
    names = ("environment.commit", "environment.changes")
    states = [tuple(row.get(name) for name in names) for _, row in runs.iterrows()]
    marks: dict[Any, str] = {}
    for state in states:
        marks.setdefault(state, _letters(len(marks)))
    notes = {
        mark: f"commit {str(commit or 'unknown')[:7]}"
        + (f" with uncommitted changes ({changes[:7]})" if changes else "")
        for (commit, changes), mark in marks.items()
    }
    return [marks[state] for state in states], notes


def _letters(number: int) -> str:
    return MARKS[number] if number < len(MARKS) else MARKS[number // len(MARKS) - 1] + MARKS[number % len(MARKS)]


def _rank(decoder: str) -> tuple[int, str]:
    return (ORDER.index(decoder), "") if decoder in ORDER else (len(ORDER), decoder)
