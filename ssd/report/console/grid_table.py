"""The table of a grid: a row per run, with the same words as the table of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ssd.metrics.warnings import warnings_of
from ssd.report.console.columns import Column, column, print_columns, wide_console, widths
from ssd.report.labels import Run, circumstances, labels, options_that_vary, value_text

FIGURES = ("accuracy", "NFE", "token rows", "tokens per forward", "acceptance length", "speedup (95 %)", "identity")


def print_comparison(runs: Sequence[Run]) -> None:
    """Print every run as a row: what varies, accuracy, forwards, rows, speedup with its interval, identity, reference.

    No text is cut. Figures that do not fit beside the others follow in a further table of the same rows.
    """
    console = wide_console()
    others = circumstances(runs)
    figures = list(_figures(runs))
    names = _folded(list(_names(runs, others)), console.width - max(each.width for each in figures))
    title = f"{len(runs)} run{'s' * (len(runs) != 1)} of {_listed(runs, 'task')} by {_listed(runs, 'model')}"
    print_columns(console, title, names, figures)
    for other in dict.fromkeys(filter(None, others)):
        print(f"† measured under other circumstances than most: {other}")


def print_warnings(runs: Sequence[Run]) -> None:
    """Print the warnings of all runs, each text once, with the runs that it concerns."""
    found: dict[str, list[str]] = {}
    for run, label in zip(runs, labels(runs), strict=True):
        for warning in warnings_of(run.summary):
            found.setdefault(warning, []).append(label)
    for warning, concerned in found.items():
        which = concerned[0] if len(concerned) == 1 else f"{len(concerned)} of {len(runs)} runs"
        print(f"WARNING ({which}): {warning}")


def one_line(summary: Mapping[str, Any]) -> str:
    """Return the figures of a run in one line."""
    speedup = f"speedup {speedup_text(summary['speedup'])}, " if summary["speedup"] else ""
    identity, accuracy = summary["identity"]["rate"], summary["accuracy"]["decoder"]
    return f"{speedup}NFE {summary['nfe']['decoder']:.1f}, identity {identity:.1%}, accuracy {accuracy:.1%}"


def speedup_text(speedup: Mapping[str, Any] | None) -> str:
    """Return a speedup with its interval."""
    if speedup is None:  # nothing was timed
        return "-"
    return f"{speedup['ratio']:.2f}" + (f" ({speedup['low']:.2f} to {speedup['high']:.2f})" if speedup["low"] else "")


def _names(runs: Sequence[Run], others: Sequence[str]) -> Iterator[Column]:
    """Return the columns that tell the runs apart: model and task if there are several, the decoder, its options.

    others: the circumstances in which a run differs from most; they mark its decoder.
    """
    for group in ("model", "task"):
        if len({run.summary[group] for run in runs}) > 1:
            yield column(group, [run.summary[group] for run in runs], "left")
    decoders = [run.summary["decoder"] + (" †" if other else "") for run, other in zip(runs, others, strict=True)]
    yield column("decoder", decoders, "left")
    for head, values in options_that_vary(runs).items():
        yield column(head, [value_text(value) for value in values], "left")


def _figures(runs: Sequence[Run]) -> Iterator[Column]:
    """Return the columns of figures; the last one has the reference of each run."""
    for head, cells in zip(FIGURES, zip(*(_cells(run.summary) for run in runs), strict=True), strict=True):
        yield column(head, cells, "right")
    yield column("compared with", [run.summary["compared_with"] for run in runs], "left")


def _folded(columns: list[Column], width: int) -> list[Column]:
    """Return the columns in this width together if possible; the widest texts take several lines. Heads stay whole."""
    least = [max(map(len, each.head.split())) for each in columns]
    while widths(columns) > width:
        spare = [each.width - head for each, head in zip(columns, least, strict=True)]
        widest = max(range(len(columns)), key=lambda place: columns[place].width if spare[place] else 0)
        if not spare[widest]:
            break
        columns[widest] = columns[widest]._replace(width=columns[widest].width - 1)
    return columns


def _listed(runs: Sequence[Run], group: str) -> str:
    return ", ".join(dict.fromkeys(run.summary[group] for run in runs))


def _cells(summary: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        f"{summary['accuracy']['decoder']:.1%}",
        f"{summary['nfe']['decoder']:.1f}",
        f"{summary['token_rows']['decoder']:.0f}",
        f"{summary['tokens_per_forward']['decoder']:.2f}",
        f"{summary['acceptance_length']['mean']:.2f}" if summary["acceptance_length"]["rate_by_depth"] else "",
        speedup_text(summary["speedup"]),
        f"{summary['identity']['rate']:.1%}",
    )
