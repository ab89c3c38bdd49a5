"""The table of a grid: a row per run, in the words of the runs' own tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from ssd.results.environment import MUST_MATCH

WIDTH = 132
MOST_WORD = 40
"""Characters of a decoder's longest option that are not broken apart."""
GIVEN = (("model", "path"), ("runtime", "device"), ("runtime", "threads"))
"""What a grid varies on purpose, and circumstances with it."""
COLUMNS = ("accuracy", "NFE", "token rows", "tokens / forward", "acceptance length", "speedup (95 %)", "identity")


class Run(NamedTuple):
    """A run's resolved configuration, its summary, and the circumstances that it was measured under."""

    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    environment: Mapping[str, Any] = {}


def print_comparison(runs: Sequence[Run]) -> None:
    """Print every run as a row: accuracy, forwards, rows, speedup with its interval, identity."""
    tasks = list(dict.fromkeys(run.summary["task"] for run in runs))
    table = Table(title=f"{len(runs)} run{'s' * (len(runs) != 1)} of {', '.join(tasks)}", title_justify="left")
    for name in ("model", *(("task",) if len(tasks) > 1 else ())):
        table.add_column(name, no_wrap=True)
    longest_word = max(len(word) for label in labels(runs) for word in label.split())
    table.add_column("decoder", overflow="fold", min_width=min(longest_word, MOST_WORD))
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=name.startswith("speedup"))
    notes: dict[str, None] = {}
    for run, label, other in zip(runs, labels(runs), circumstances(runs), strict=True):
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


def labels(runs: Sequence[Run]) -> Iterator[str]:
    """Each run's decoder, with the options in which it differs from others of that decoder, model and task."""
    kinds = [tuple(run.summary[group] for group in ("decoder", "model", "task")) for run in runs]
    flat = [dict(_flatten(run.config)) for run in runs]
    for kind, values in zip(kinds, flat, strict=True):
        siblings = [other for sibling, other in zip(kinds, flat, strict=True) if sibling == kind]
        keys = [key for key, value in values.items() if any(other.get(key) != value for other in siblings)]
        told = [key for key in keys if not key.endswith(("sha256", "fingerprints"))]
        shown = [f"{key.removeprefix('decoder.')}={values[key]}" for key in told]
        yield " ".join((kind[0], *shown))


def circumstances(runs: Sequence[Run]) -> list[str]:
    """How each run's circumstances differ from those of most runs of its model, device and threads; "" if they do not.

    `name: most → its own`; where versions of libraries differ, these.
    """
    kinds = [[str(run.config.get(group, {}).get(key)) for group, key in GIVEN] for run in runs]
    found = []
    for run, kind in zip(runs, kinds, strict=True):
        peers = [_plain(peer.environment) for peer, other in zip(runs, kinds, strict=True) if other == kind]
        usual = dict(Counter(tuple(peer.items()) for peer in peers).most_common(1)[0][0])
        own = _plain(run.environment)
        changed = [name for name in {**usual, **own} if usual.get(name) != own.get(name)]
        found.append("; ".join(f"{name}: {usual.get(name)} → {own.get(name)}" for name in changed))
    return found


def _plain(environment: Mapping[str, Any]) -> dict[str, str]:
    """What forbids mixing samples, flat, commits abbreviated."""
    values = {name: environment.get(name) for name in MUST_MATCH if name in environment and name != "libraries"}
    values |= environment.get("libraries", {})
    return {name: str(value)[:10] if name in ("commit", "changes") else str(value) for name, value in values.items()}


def _cells(summary: Mapping[str, Any]) -> tuple[str, ...]:
    identity = summary["identity"]
    return (
        f"{summary['accuracy']['decoder']:.1%}",
        f"{summary['nfe']['decoder']:.1f}",
        f"{summary['token_rows']['decoder']:.0f}",
        f"{summary['tokens_per_forward']['decoder']:.2f}",
        f"{summary['acceptance_length']['mean']:.2f}" if summary["acceptance_length"]["rate_by_depth"] else "",
        _speedup(summary["speedup"]),
        f"{identity['rate']:.1%}",
    )


def _speedup(speedup: Mapping[str, Any] | None) -> str:
    if speedup is None:  # nothing was timed
        return "-"
    return f"{speedup['ratio']:.2f}" + (f" ({speedup['low']:.2f} to {speedup['high']:.2f})" if speedup["low"] else "")


def _flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
