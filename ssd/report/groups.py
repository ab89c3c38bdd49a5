"""Which runs may stand side by side in a table, what the group is called, and what each run of it is called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

CHECKPOINT = {
    "config.model.path": "path", "config.model.revision": "revision", "environment.checkpoint": "checkpoint",
}  # fmt: skip
"""What tells two models of one name apart."""
CIRCUMSTANCES = {
    **CHECKPOINT, "environment.device_name": "", "environment.threads": "threads", "config.runtime.dtype": "",
    "config.runtime.numerics": "numerics", "config.runtime.engine": "engine", "config.runtime.batch_size": "batch",
    "environment.libraries.torch": "torch", "environment.cuda": "CUDA", "environment.attention_backend": "attention",
}  # fmt: skip
"""What a measurement depends on beside its configuration, and how it is called."""
ALWAYS_TOLD = ("environment.device_name", "config.runtime.dtype")
REFERENCE = "stepwise decoding"
"""What a run is compared with, unless the title of its group names another reference."""
EXPERIMENT = ("config.generation.", "config.task.")
"""What is asked of a model, and how it generates: a speedup is relative to stepwise decoding of the same."""
NO_MATTER = tuple(f"config.task.{name}" for name in ("name", "_target_", "path", "fewshot_path", "workers"))
NEVER_TOLD = ("_target_", ".name", ".lossless", ".fingerprints", "sha256")
ORDER = ("stepwise", "ssd", "freedave", "spiffy", "psd", "fast_dllm", "wino", "apd")
MARKS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their decoder, and perhaps the code; all are compared with one reference.

    parts: model, task, and what else tells the group from others; rows: as in the frame of runs, with two columns more,
    `label` and `mark`; marks: which commit a `mark` stands for, where the runs are of several.
    """

    parts: tuple[str, ...]
    rows: pd.DataFrame
    marks: Mapping[str, str]

    @property
    def title(self) -> str:
        return ", ".join(self.parts)


def groups(runs: pd.DataFrame) -> list[Group]:
    """Finished runs by model, task, reference, experiment and circumstances; titles tell in what the groups differ."""
    done = runs[runs["status"] == "done"].reset_index(drop=True).copy()
    if done.empty:
        return []
    experiment = [name for name in done if name.startswith(EXPERIMENT) and name not in NO_MATTER]
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
    return sorted(_apart(found), key=lambda group: group.title)


def marks_of(found: Sequence[Group]) -> dict[str, str]:
    """What the marks of all these groups mean."""
    return {mark: meaning for group in found for mark, meaning in sorted(group.marks.items())}


def _apart(found: Sequence[Group]) -> Iterator[Group]:
    """The groups; where two have one title, they were asked different prompts, which a title then tells apart."""
    titles = Counter(group.title for group in found)
    for group in found:
        asked = str(group.rows.iloc[0].get("config.task.sha256"))[:6]
        yield group if titles[group.title] == 1 else replace(group, parts=(*group.parts, f"prompts {asked}"))


def _is_told(runs: pd.DataFrame, name: str) -> bool:
    """Whether it differs between runs of one model; of options, between those of one model and task."""
    same = ["model"] if name in CHECKPOINT else ["model", "task"] if name.startswith(EXPERIMENT) else []
    lots = (rows for _, rows in runs.groupby(same)) if same else (runs,)
    return any(_differs(rows, name) for rows in lots)


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
    """With `label`: each run's decoder and the options in which it differs from the decoder's other runs; in order."""
    options = [name for name in rows if name.startswith(("config.decoder.", "config.runtime.repeats"))]
    places, labels = [], []
    for decoder in sorted(rows["decoder"].unique(), key=_rank):
        siblings = rows[rows["decoder"] == decoder]
        kept = [name for name in options if not name.endswith(NEVER_TOLD) and _differs(siblings, name)]
        chains = _differs(siblings.assign(chain=siblings["hops"].notna()), "chain")
        for place in sorted(siblings.index, key=lambda at: [_magnitude(value) for value in rows.loc[at, kept]]):
            told = {name.rpartition(".")[2]: rows.loc[place, name] for name in kept}
            words = [f"{name}={_word(value)}" for name, value in told.items() if value is not None]
            words += ["untimed"] if rows.loc[place].get("config.runtime.timing") is False else []
            words += ["reference=chain"] if chains and isinstance(rows.loc[place, "hops"], list) else []
            places.append(place)
            labels.append(" ".join([str(decoder), *words]))
    labelled = rows.loc[places].assign(label=labels)
    doubled = labelled["label"].duplicated(keep=False)
    return labelled.assign(label=labelled["label"] + (" #" + labelled["run_id"].str[-4:]).where(doubled, ""))


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _magnitude(value: Any) -> tuple[int, float, str]:
    """Numbers in their order, then words, in front of them what is missing."""
    if isinstance(value, int | float):
        return (1, float(value), "")
    return (0, 0.0, "") if value is None else (2, 0.0, str(value))


def _commits(runs: pd.DataFrame) -> tuple[list[str], dict[str, str]]:
    """A letter for every state of the code, and what it stands for."""
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


def _differs(rows: pd.DataFrame, name: str) -> bool:
    return rows[name].map(str).nunique() > 1


def _rank(decoder: str) -> tuple[int, str]:
    return (ORDER.index(decoder), "") if decoder in ORDER else (len(ORDER), decoder)
