"""The table of a grid: a row per run, with the same words as the table of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from ssd.report.labels import Run, circumstances, labels

WIDTH = 132
MOST_WORD = 40
"""Most characters of an option that stay on one line."""
COLUMNS = ("accuracy", "NFE", "token rows", "tokens / forward", "acceptance length", "speedup (95 %)", "identity")


def print_comparison(runs: Sequence[Run]) -> None:
    """Print every run as a row: accuracy, forwards, rows, speedup with its interval, identity."""
    tasks = list(dict.fromkeys(run.summary["task"] for run in runs))
    table = Table(title=f"{len(runs)} run{'s' * (len(runs) != 1)} of {', '.join(tasks)}", title_justify="left")
    for name in ("model", *(("task",) if len(tasks) > 1 else ())):
        table.add_column(name, no_wrap=True)
    names = list(labels(runs))
    longest_word = max(len(word) for label in names for word in label.split())
    table.add_column("decoder", overflow="fold", min_width=min(longest_word, MOST_WORD))
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=name.startswith("speedup"))
    notes: dict[str, None] = {}
    for run, label, other in zip(runs, names, circumstances(runs), strict=True):
        reference = run.summary["compared_with"]
        if reference != "stepwise decoding":
            notes[f"* compared with {reference}: its speedup and identity are relative to that"] = None
        mark = " *" if reference != "stepwise decoding" else ""
        if other:
            notes[f"† measured under other circumstances than most: {other}"] = None
            mark += " †"
        of = (run.summary["model"], run.summary["task"])[: 1 + (len(tasks) > 1)]
        table.add_row(*of, label + mark, *_cells(run.summary))
    Console(width=WIDTH).print(table)
    for note in notes:
        print(note)


def _cells(summary: Mapping[str, Any]) -> tuple[str, ...]:
    identity = summary["identity"]
    return (
        f"{summary['accuracy']['decoder']:.1%}",
        f"{summary['nfe']['decoder']:.1f}",
        f"{summary['token_rows']['decoder']:.0f}",
        f"{summary['tokens_per_forward']['decoder']:.2f}",
        f"{summary['acceptance_length']['mean']:.2f}" if summary["acceptance_length"]["rate_by_depth"] else "",
        speedup_text(summary["speedup"]),
        f"{identity['rate']:.1%}",
    )


def speedup_text(speedup: Mapping[str, Any] | None) -> str:
    """Return a speedup with its interval."""
    if speedup is None:  # nothing was timed
        return "-"
    return f"{speedup['ratio']:.2f}" + (f" ({speedup['low']:.2f} to {speedup['high']:.2f})" if speedup["low"] else "")
