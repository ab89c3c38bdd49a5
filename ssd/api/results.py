"""Start runs, and read what runs have stored."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssd.extras import extra

if TYPE_CHECKING:
    from ssd.report.results import Results


def run(words: str | Sequence[str]) -> dict[str, Any]:
    """Return the summary of one run; its files are under `results_dir`, as run.py leaves them.

    words: run.py's words, in one text or a list. A finished run is not measured again.
    Raises ValueError in one line for wrong words and for grids.

    >>> ssd.run("decoder=ssd model=llada_tiny task=tiny_math runtime.limit=5")["speedup"]["ratio"]
    1.69
    """
    with extra("run"):
        from ssd.campaign import dispatch
        from ssd.config.command_line import composed
        from ssd.config.plan import make_plan
        from ssd.config.tracker import tell
        from ssd.results.store import RunFolder
    overrides = _split(words)
    dashed = [word for word in overrides if word.startswith("-")]
    if dashed:
        raise ValueError(
            f"{dashed[0]}: ssd.run starts a single run; use the command: python run.py {shlex.join(overrides)}"
        )
    plan = make_plan(composed(overrides))
    summary = dispatch.run(plan)
    tell(plan.tracker, RunFolder(plan.results_dir, plan.config).path)
    return summary


def _split(words: str | Sequence[str]) -> list[str]:
    """Return the words of a text or of a list. Raises ValueError."""
    if isinstance(words, str):
        try:
            return shlex.split(words)
        except ValueError as error:
            raise ValueError(f"{words}: {error}; close the quotation, or pass a list of words") from error
    if not isinstance(words, Sequence) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"words={words!r:.60}: expected a text or a list of texts, as 'decoder=ssd model=llada_tiny'")
    return list(words)


def read(results: str | Path = "results") -> Results:
    """Return a results folder as pandas frames: `.runs`, `.samples`, `.forwards()` and `.left_out`.

    results: the folder, one run's folder, or a folder of Parquet files. Raises FileNotFoundError or ValueError.

    >>> ssd.read("results/reference").done[["decoder", "model", "speedup.ratio"]]
    """
    with extra("report"):
        from ssd.report.results import load
    if not isinstance(results, str | Path):
        raise ValueError(f"results={results!r:.60}: expected the path of a results folder")
    return load(results)
