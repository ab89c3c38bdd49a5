"""A results folder as pandas frames: one row per run, per sample, per forward."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from ssd.report.events import FORWARD, read_traces
from ssd.report.frames import frame_of, frame_of_rows, read_parquet, write_parquet
from ssd.report.groups import Group, groups
from ssd.report.lines import flat, line_schema, read_lines
from ssd.report.runs import AS_WRITTEN, COLUMNS, read_row
from ssd.results.reader import run_folders

FILES = ("runs.parquet", "samples.parquet", "forwards.parquet")


@dataclass(frozen=True)
class Results:
    """The content of a results folder as frames.

    runs: a row per run: run_id, folder, status (done, unfinished, failed), decoder, model, task; the metrics of
    summary.json by dotted name (`speedup.ratio`); `config.<group>.<key>` and `environment.<key>`. A missing metric is
    NaN, and so are speedups and tokens/s under locked numerics.
    samples: a row per line of samples.jsonl, of unfinished runs as well; lists are Python lists.
    left_out: (folder, reason) of everything that could not be read; parts: the results that these are chosen from;
    groups_of_page: the groups of a page, with the titles of the whole report.
    """

    root: Path
    runs: pd.DataFrame
    samples: pd.DataFrame
    left_out: list[tuple[str, str]] = field(default_factory=list)
    parts: tuple[Results, ...] = ()
    groups_of_page: tuple[Group, ...] | None = None

    @classmethod
    def together(cls, parts: Sequence[Results]) -> Results:
        """Return the runs of all parts; of a run in several parts only the first."""
        runs = pd.concat([part.runs for part in parts], ignore_index=True)
        mixed = [name for name in runs if runs[name].dtype == object]
        runs[mixed] = runs[mixed].where(runs[mixed].notna(), None)  # NaN where a part lacks the column
        samples = pd.concat([part.samples for part in parts], ignore_index=True)
        samples = samples.drop_duplicates(["run_id", "index", "repeat"], ignore_index=True)
        left_out = list(dict.fromkeys(note for part in parts for note in part.left_out))
        return cls(
            parts[0].root, runs.drop_duplicates("run_id", ignore_index=True), samples, left_out, parts=tuple(parts)
        )

    def only(self, run_ids: Collection[str]) -> Results:
        """Return the results of these runs alone."""
        runs, samples = (frame[frame["run_id"].isin(run_ids)] for frame in (self.runs, self.samples))
        left_out = [(folder, reason) for folder, reason in self.left_out if folder in run_ids]
        return Results(self.root, runs.reset_index(drop=True), samples.reset_index(drop=True), left_out, (self,))

    def page(self, run_ids: Collection[str]) -> Results:
        """Return the results of these finished runs alone, whose groups keep their titles and labels."""
        groups_of_page = [group.having(lambda run: run.run_id in run_ids) for group in self.groups]
        return replace(self.only(run_ids), groups_of_page=tuple(group for group in groups_of_page if group.runs))

    @cached_property
    def groups(self) -> list[Group]:
        """The finished runs in groups that may be compared."""
        return groups(self.runs) if self.groups_of_page is None else list(self.groups_of_page)

    @property
    def done(self) -> pd.DataFrame:
        """Return the rows of finished runs."""
        return self.runs[self.runs["status"] == "done"].reset_index(drop=True)

    def folder(self, name: str) -> Path:
        """Return a run's folder; `root` may itself be it."""
        return self.root if (self.root / "config.yaml").is_file() else self.root / name

    def forwards(self) -> pd.DataFrame:
        """Return a row per forward of the runs that stored traces; they are read at the first call."""
        return self._forwards

    @cached_property
    def _forwards(self) -> pd.DataFrame:
        if self.parts:
            return self._forwards_of_parts()
        stored = self.root / FILES[2]
        if stored.is_file():
            return read_parquet(stored)[0]
        if (self.root / FILES[0]).is_file():
            return frame_of(FORWARD.empty_table())
        tables = [read_traces(self.folder(name), name, self.left_out) for name in self.runs["folder"]]
        return frame_of(pa.concat_tables([FORWARD.empty_table(), *tables]))

    def _forwards_of_parts(self) -> pd.DataFrame:
        """Return the forwards of these runs; adds what the parts could not read to `left_out`."""
        wanted = set(self.runs["folder"])
        found = []
        for part in self.parts:
            known = len(part.left_out)
            forwards = part.forwards()
            self.left_out.extend((folder, reason) for folder, reason in part.left_out[known:] if folder in wanted)
            chosen = forwards[forwards["run_id"].isin(wanted)]
            wanted -= set(part.runs["folder"])
            found.append(chosen)
        return pd.concat(found, ignore_index=True)

    def to_parquet(self, folder: str | Path) -> list[Path]:
        """Write runs.parquet, samples.parquet and, if there are traces, forwards.parquet; `load` reads the folder.

        Raises ValueError if `folder` holds runs, which `load` would then ignore.
        """
        target = Path(folder)
        if target.is_dir() and any(run_folders(target)):
            raise ValueError(f"{target} holds runs, which frames beside them would hide; write the frames elsewhere")
        target.mkdir(parents=True, exist_ok=True)
        forwards = self.forwards()  # may add to left_out
        write_parquet(self.runs, target / FILES[0], as_json=True, left_out=self.left_out)
        write_parquet(self.samples, target / FILES[1])
        (target / FILES[2]).unlink(missing_ok=True)
        if len(forwards):
            write_parquet(forwards, target / FILES[2])
        return [target / name for name in FILES if (target / name).is_file()]


def load(root: str | Path, texts: bool = False) -> Results:
    """Read a results folder, a single run's folder, or a folder that `to_parquet` wrote.

    texts: also the prompts' hashes and targets, and both sides' texts, answers and ids, which are most of a line.
    Runs may be unfinished, failed, torn or corrupt: what cannot be read is left out and named in `left_out`.
    Raises FileNotFoundError if `root` is no folder, ValueError if its Parquet files cannot be read.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder; expected a results folder, as run.py's results_dir")
    if (root / FILES[0]).is_file():
        runs, (stored,) = read_parquet(root / FILES[0], "left_out")
        return Results(root, runs, read_parquet(root / FILES[1])[0], [(name, reason) for name, reason in stored])
    rows: list[dict[str, Any]] = []
    tables: list[pa.Table] = [line_schema(texts).empty_table().append_column("run_id", pa.array([], pa.string()))]
    left_out: list[tuple[str, str]] = []
    for folder in run_folders(root):
        try:
            row, notes = read_row(folder)
        except ValueError as error:
            left_out.append((folder.name, str(error)))
            continue
        rows.append(row)
        lines = read_lines(folder / "samples.jsonl", texts)
        tables += [table.append_column("run_id", pa.array([folder.name] * len(table))) for table in lines.tables]
        left_out += [(folder.name, note) for note in (*notes, *lines.notes)]
    table = flat(pa.concat_tables(tables))
    table = table.select(["run_id", *(name for name in table.column_names if name != "run_id")])
    return Results(root, frame_of_rows(rows, COLUMNS, AS_WRITTEN), frame_of(table), left_out)
