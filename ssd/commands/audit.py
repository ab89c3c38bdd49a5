"""Audit the identity of measured runs from their stored samples.

ssd-bench audit RUN [RUN ...] [--results results] [--cases 10] [--replay [--sample 5]]

RUN is the id of a run under --results, or a run's folder. The figures are also stored as audit.json in that folder.
--replay loads model and decoder. It decodes all divergent samples again, and some identical ones.
Exit status 1: a run claims to be lossless, and rounding does not explain a difference from its reference.
Exit status 2: a run is missing, unfinished, unreadable or not reproduced. Exit status 0: all is well.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ssd.audit.summary import audit
from ssd.commands.lists import whole
from ssd.commands.results_dir import add_results, stored_run
from ssd.commands.trace import tokenizer_of
from ssd.results.reader import StoredRun, name_of, read_run
from ssd.results.store import write_json

WIDTH, BAR = 160, 40
FAILED, UNUSABLE = 1, 2
AGREES = {True: "agrees", False: "differs", None: "-"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit the runs that the command line names; return the exit status."""
    options = parse(arguments)
    console = Console(width=WIDTH, highlight=False)
    statuses = set()
    for name in options.runs:
        try:
            statuses |= audit_run(stored_run(name, options.results), options, console)
        except (ValueError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            statuses.add(UNUSABLE)
    return min(statuses - {0}, default=0)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options; argparse exits with status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run's id under --results, or its folder")
    add_results(parser)
    parser.add_argument("--cases", type=whole(0), default=10, help="worst cases to print; audit.json holds all")
    parser.add_argument("--replay", action="store_true", help="decode samples again and compare with what is stored")
    parser.add_argument("--sample", type=whole(0), default=5, help="identical samples to decode again")
    return parser.parse_args(arguments)


def audit_run(folder: Path, options: argparse.Namespace, console: Console) -> set[int]:
    """Print the audit of a run and store it as audit.json; return the exit statuses that it gives."""
    run = read_run(folder)
    report = audit(run)
    write_json(folder / "audit.json", report)
    print_figures(report, console)
    if report["cases"] and options.cases:
        title = "worst cases" if report["claims_lossless"] else "cases, as expected of a lossy decoder"
        print_cases(title, report["cases"][: options.cases], token_names(run), console)
    console.print(f"all cases: {folder / 'audit.json'}", soft_wrap=True, markup=False)
    statuses = set()
    if not report["finished"]:
        print(f"error: {folder} is unfinished; the audit covers its {report['samples']} samples", file=sys.stderr)
        statuses.add(UNUSABLE)
    if report["fails"]:
        console.print("FAILS: it claims to be lossless, and rounding does not explain", *report["failures"], sep="\n  ")
        statuses.add(FAILED)
    try:
        if options.replay and not replayed(run, options.sample, console):
            statuses.add(UNUSABLE)
    except (ValueError, OSError) as error:
        print(f"error: --replay: {error}", file=sys.stderr)
        statuses.add(UNUSABLE)
    return statuses


def print_figures(report: dict[str, Any], console: Console) -> None:
    """Print the rates by class of responses and of orders, token margins by decade, and the results of float64."""
    claim = "claims to be lossless" if report["claims_lossless"] else "does not claim to be lossless"
    table = Table(title=f"{report['run_id']}: {report['samples']} samples, {claim}", title_justify="left")
    table.add_column("")
    for name in ("as the reference", "numeric", "algorithmic", "unexplained", "rate"):
        table.add_column(name, justify="right")
    for title, counts in (("response", report["identity"]), ("order of commitment", report["order"])):
        numbers = [counts.get("identical", counts.get("same")), counts["numeric"], counts["algorithmic"]]
        table.add_row(title, *map(str, numbers), str(counts.get("unexplained", "")), f"{counts['rate']:.1%}")
    console.print(table)
    for kind, counts in report["token_margins"].items():
        if not any(counts.values()):
            continue
        console.print(f"token margins of {kind} cases, by decade")
        for decade, count in counts.items():
            console.print(f"  {decade:>6} {'█' * -(-BAR * count // max(counts.values()))} {count}")
    if report["cases"]:
        console.print("float64's pick:", ", ".join(f"{name} {count}" for name, count in report["float64"].items()))
    if report["numeric_without_float64"]:
        console.print(f"numeric by a bound of the dtype alone, without float64: {report['numeric_without_float64']}")


def print_cases(title: str, cases: Sequence[dict[str, Any]], text: Callable[[int], str], console: Console) -> None:
    """Print the cases, one row each. text: returns a token's text."""
    table = Table(title=f"{title}; largest token margin first", title_justify="left")
    for name in ("sample", "differs", "step", "forward"):
        table.add_column(name, no_wrap=True)
    for name in ("reference's pick", "decoder's pick"):
        table.add_column(name, ratio=1, overflow="fold")
    for name in ("token", "position", "tolerance", "near tie", "alone", "exact", "nodes", "class", "float64"):
        table.add_column(name, no_wrap=True)
    for case in cases:
        picks = [_pick(case.get(name), text) for name in ("reference_pick", "decoder_pick")]
        margins = [_number(case.get(name)) for name in ("token_margin", "position_margin", "tolerance")]
        opinion = case.get("float64") or {"picks": "-"}
        again = [AGREES[case.get("one_by_one")], AGREES[opinion.get("same_steps")]]
        where = [case["differs"], str(case.get("step", "-")), str(case.get("forward", "-"))]
        sample = name_of(case["index"], case["repeat"]).removeprefix("sample ")
        nodes = _number(opinion.get("node_difference"))
        rest = [str(case.get("near_tie") or "-"), *again, nodes, case["class"], opinion["picks"]]
        table.add_row(*map(escape, (sample, *where, *picks, *margins, *rest)))
    console.print(table)
    console.print(
        "token, position: margins in logits and in confidence; tolerance: in logits; alone: nodes computed one by one; "
        "exact: both sides in float64; nodes: in float64, the largest difference between nodes together and one by "
        "one; float64: the side whose pick float64 has",
        markup=False,
    )


def token_names(run: StoredRun) -> Callable[[int], str]:
    """Return a function from an id to id and text; without the run's tokenizer on this machine, to the id."""
    decode = tokenizer_of(run)
    return lambda token: f"{token} {decode([token])!r}" if decode else str(token)


def replayed(run: StoredRun, identical: int, console: Console) -> bool:
    """Decode samples again; return whether all equal the stored ones."""
    from ssd.audit.reproduce import choose, load  # torch and the model code are not needed for all else

    reproduction, lines = load(run), choose(run.lines, identical)
    changed = [difference for line in lines for difference in reproduction.differences(line)]
    console.print(f"replay: {len(lines)} samples decoded again, {len(changed)} differences", *changed, sep="\n  ")
    return not changed


def _pick(pick: dict[str, Any] | None, text: Callable[[int], str]) -> str:
    return f"{pick['position']}: {text(pick['token'])} ({_number(pick['confidence'])})" if pick else "-"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
