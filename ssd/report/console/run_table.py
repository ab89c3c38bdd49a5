"""The table at the end of a run: the metrics of summary.json in the same words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from ssd.metrics.warnings import warnings_of
from ssd.report.console.columns import wide_console
from ssd.report.console.verdict import verdict

WIDTH = 100
"""Most characters of a line."""
SIDE_NAMES = {"uncached": "no cache", "reference": "cache", "decoder": "decoder"}
DEPTHS = 8
"""Number of depths whose acceptance rates are printed."""


def print_summary(summary: dict[str, Any], title: str, pass_at: Sequence[int]) -> None:
    """Print the verdict, reference and decoder side by side, and the warnings below.

    summary: as `ssd.metrics.summary.summarise` returns it; pass_at: each k of the pass@k that are printed where prompts
    have several responses.
    """
    if summary["compared_with"] != "stepwise decoding":
        print(f"reference: {summary['compared_with']}")
    if approximation := summary["cache_caveat"]:
        print(f"cache: an approximation on both sides, {approximation}")
    print(verdict(summary))
    table = Table(title=title, title_justify="left")
    for name in ("", "reference", "decoder", ""):
        table.add_column(name, justify="left" if not name else "right", overflow="fold")
    speedup, nfe, rows = summary["speedup"], summary["nfe"], summary["token_rows"]
    acceptance, identity = summary["acceptance_length"], summary["identity"]
    locked = summary["numerics"] == "locked"  # there the reference pays for padding
    if speedup and not locked:
        ends = [speedup["low"], speedup["high"]]
        spread = "no interval: one pair of times" if None in ends else "95 %: {:.2f} to {:.2f}".format(*ends)
        table.add_row("speedup (wall clock)", "1.00", f"{speedup['ratio']:.2f}", spread)
    if summary["predicted_speedup"] is not None and not locked:
        predicted = f"{summary['predicted_speedup']:.2f}"
        table.add_row("  predicted", "", predicted, "from its forwards and what each of them costs")
    table.add_row("NFE per response", *_both(nfe, ".1f"), f"{nfe['ratio']:.2f} times fewer")
    for kind, count in nfe["by_kind"].items():
        if count:
            table.add_row(f"  {kind}", "", f"{count:.1f}")
    if max(summary["responses_per_forward"].values()) > 1:
        table.add_row("responses per forward", *_both(summary["responses_per_forward"], ".2f"))
    if speedup:
        table.add_row("ms per forward", *_both(summary["ms_per_forward"], ".2f"))
    if summary["outside_model"]:
        table.add_row("  outside the model", *_both(summary["outside_model"], ".1%"), "of the time")
    table.add_row("node evaluations per response", *_both(summary["node_evaluations"], ".1f"))
    table.add_row(
        "token rows per response", *_both(rows, ".0f"), f"{rows['decoder'] / rows['reference']:.2f} times as many"
    )
    oracle = summary["oracle_tokens_per_forward"]
    table.add_row(
        "tokens per forward",
        *_both(summary["tokens_per_forward"], ".2f"),
        "" if oracle is None else f"{oracle:.2f} if every draft were right",
    )
    rates = " ".join(f"{rate:.2f}" for rate in acceptance["rate_by_depth"][:DEPTHS])
    rates += " ..." if len(acceptance["rate_by_depth"]) > DEPTHS else ""
    if rates:
        table.add_row("acceptance length", "", f"{acceptance['mean']:.2f}")
        table.add_row("  rate by depth", "", "", rates)
    if speedup:
        table.add_row("tokens per s", *_both(summary["tokens_per_s"], ".1f"))
    table.add_row("useful tokens per response", *_both(summary["tokens_useful"], ".1f"))
    cut = summary["tokens_cut"]
    if max(cut.values()):
        table.add_row("cut tokens per response", *_both(cut, ".1f"), "decided behind the end; counted here only")
    if speedup and nfe["by_kind"]["verifier"]:
        table.add_row("verifier (s per response)", "", f"{summary['verifier_s']['decoder']:.3f}", "part of the latency")
    for rank, latency_s in (summary["latency_s"] or {}).items():
        table.add_row(f"latency {rank} (s)", f"{summary['reference_latency_s'][rank]:.3f}", f"{latency_s:.3f}")
    if summary["compile_s"]:
        table.add_row("captures, compilation (s)", "", f"{summary['compile_s']:.1f}", "before the clock starts")
    differing = f"{identity['numeric']} numeric, {identity['algorithmic']} algorithmic"
    agreeing = f"{identity['identical']} of {summary['responses']}; {differing}"
    table.add_row("identity", "", f"{identity['rate']:.1%}", agreeing)
    order = identity["other_order"]
    table.add_row(
        "  same order of picks",
        "",
        f"{identity['same_commit_order']:.1%}",
        f"else: {order['numeric']} numeric, {order['algorithmic']} algorithmic",
    )
    orders = [summary["order_correlation"][side]["within_blocks"] for side in ("reference", "decoder")]
    if orders != [None, None]:
        shown = ("" if correlation is None else f"{correlation:+.2f}" for correlation in orders)
        table.add_row("left to right, in blocks", *shown, "1: always, 0: no more than right to left")
    change, length = summary["accuracy_difference"], summary["length"]
    interval = f"{change['difference']:+.1%}; 95 %: {change['low']:+.1%} to {change['high']:+.1%}"
    table.add_row("accuracy", *_both(summary["accuracy"], ".1%"), interval)
    if summary["accuracy_strict"]:
        table.add_row("  under the strict rule", *_both(summary["accuracy_strict"], ".1%"))
    only_one = str(change["only_reference"]), str(change["only_decoder"])
    table.add_row("  right on one side only", *only_one, f"McNemar's exact p {change['mcnemar_p']:.3g}")
    if summary["responses"] > summary["prompts"]:
        for k in pass_at:
            table.add_row(f"  pass@{k}", *_both(summary["pass_at"][str(k)], ".1%"))
    for link in summary["hops"] or []:
        accuracy, gain = link["accuracy"], link["speedup"]
        table.add_row(
            f"link: {SIDE_NAMES[link['from']]} → {SIDE_NAMES[link['to']]}",
            f"{accuracy['from']:.1%}",
            f"{accuracy['to']:.1%}",
            f"identity {link['identity']:.1%}" + (f", {gain['ratio']:.2f} times as fast" if gain else ""),
        )
    for name, share in (("without an end", "cut_off"), ("empty", "empty")):
        table.add_row(f"responses {name}", *(f"{length[side][share]:.1%}" for side in ("reference", "decoder")))
    if speedup:
        table.add_row("peak memory (MiB)", "", "", f"{summary['peak_memory_mib']:.0f}, both sides together")
    console = wide_console()
    console.width = min(WIDTH, console.width)
    console.print(table)
    if speedup is None:
        print("nothing was timed (runtime.timing=false): no speedup, no latencies, no memory")
    for warning in warnings_of(summary):
        print(f"WARNING: {warning}")


def _both(pair: dict[str, float], form: str) -> tuple[str, str]:
    return format(pair["reference"], form), format(pair["decoder"], form)
