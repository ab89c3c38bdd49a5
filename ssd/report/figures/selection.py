"""The runs that a figure shows where there are many, and the small print of groups."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import replace

from ssd.report.count_as_published import COUNTED
from ssd.report.groups import Group, Run, notes_of

FEW = 3
"""Up to this number, all settings of a decoder are shown."""


def extremes(group: Group) -> list[Run]:
    """Return every run of the group; of a decoder with many settings the fastest and the slowest."""
    chosen = []
    for runs in _by_decoder(group.runs):
        chosen += runs if len(runs) <= FEW else _ends(runs)
    return chosen


def sides(group: Group, known: Container[tuple[str, str]]) -> list[tuple[Run, str]]:
    """Return runs with the side to show: the reference of the group's first run, the decoder of every fastest run.

    known: by run id and side, what can be shown; runs without both sides are left out.
    """
    shown = group.having(lambda run: (run.run_id, "decoder") in known and (run.run_id, "reference") in known)
    return [(run, "reference") for run in shown.runs[:1]] + [(run, "decoder") for run in fastest(shown)]


def fastest(group: Group) -> list[Run]:
    """Return the fastest run of every decoder."""
    return [_ends(runs)[0] for runs in _by_decoder(group.runs)]


def fastest_by_group(groups: Iterable[Group], has: Callable[[Run], bool]) -> list[tuple[Group, list[Run]]]:
    """Return the groups with a run that `has` accepts, and the fastest such run of every decoder."""
    lots = [(group, fastest(group.having(has))) for group in groups]
    return [(group, runs) for group, runs in lots if runs]


def _ends(runs: Sequence[Run]) -> list[Run]:
    """Return the first and the last of a decoder's timed runs, or of all by forwards if none was timed.

    Each names the number of runs that it represents, in words that stay on one line.
    """
    if len(runs) == 1:
        return list(runs)
    timed = [run for run in runs if run.is_timed]
    ranked = timed or runs
    fast, slow = ("fastest", "slowest") if timed else ("least NFE", "most NFE")
    among = f" of {len(ranked)}{' timed' if len(ranked) < len(runs) else ''}"
    ends = [(ranked[0], fast + among), (ranked[-1], slow + among)][: len(ranked)]
    return [replace(run, shown_for=told.replace(" ", "\N{NO-BREAK SPACE}")) for run, told in ends]


def small_print_of(shown: Iterable[Group], fastest_runs: Iterable[Run] = ()) -> list[str]:
    """Return the parts that all groups share, and remarks: on runs that are not shown, and on several commits."""
    shown = list(dict.fromkeys(shown))
    versions = len({mark for group in shown for mark in group.rows["mark"]})
    counted = any(COUNTED in group.rows and group.rows[COUNTED].any() for group in shown)
    return [
        "Of each decoder the fastest run is shown." if any(run.shown_for for run in fastest_runs) else "",
        *notes_of(shown),
        "Of fast_dllm, forwards are counted as its published code spends them." if counted else "",
        f"Measured by {versions} versions of the code; the tables name them." if versions > 1 else "",
    ]


def _by_decoder(runs: Iterable[Run]) -> Iterator[list[Run]]:
    """Return the runs of each decoder, timed ones first, by speedup; then the others, by their forwards."""

    def pace(run: Run) -> tuple[bool, float]:
        return run.is_timed, run.row["speedup.ratio"] if run.is_timed else run.row["nfe.ratio"]

    runs = list(runs)
    for decoder in dict.fromkeys(run.decoder for run in runs):
        yield sorted((run for run in runs if run.decoder == decoder), key=pace, reverse=True)
