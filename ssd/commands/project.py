"""What forwards would cost on named GPUs, by a roofline. Nothing is measured.

ssd-bench project RUN ... [--model llada] [--device h100,h200] [--engine graph] [--batch 1] [--results results]
ssd-bench project --nodes 1,2,4,8 [--block 32] [--context 512] [--model llada] [--device h100] [--engine graph]
ssd-bench project --published
ssd-bench project --assumptions

The first line shows seconds per response of reference and decoder, from the forwards that runs counted. RUN is a folder
of runs, a run's folder, or a run id under --results. Runs must have been measured with runtime.traces=true.
The second shows what a verification of several nodes costs beside a forward of one.
The third shows published times beside projected ones, the last what a projection assumes of devices and software.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ssd.commands.lists import counts, names, whole
from ssd.commands.results_dir import add_results
from ssd.modeling.published import PUBLISHED
from ssd.report.choice import choose
from ssd.report.console.columns import wide_console
from ssd.report.console.plain_table import print_table
from ssd.report.projection.devices import devices
from ssd.report.projection.engines import ENGINES
from ssd.report.projection.projected import Target, obstacles
from ssd.report.tables import projected, projection
from ssd.report.tables.markdown import markdown
from ssd.report.tables.table import Table


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; return the exit status. Raises ValueError for unknown names and for runs without forwards."""
    options = parse(arguments)
    console = wide_console()
    for table in _tables(options):
        if table is not None:
            print(markdown(table)) if options.markdown else print_table(console, table)
    return 0


def _tables(options: argparse.Namespace) -> list[Table | None]:
    target = Target(options.model, options.device, options.engine, options.batch)
    if options.assumptions:
        return projection.assumptions()
    if options.published:
        return [projection.published_times(), projection.published_speedups(), projection.steps()]
    if options.nodes:
        return [projection.costs(target, options.block, options.context, options.nodes)]
    results = choose(options.runs, options.results, False, ())
    reasons = [": ".join(reason) for reason in obstacles(results).items()]
    if len(reasons) == len(results.runs):
        raise ValueError(reasons[0] if reasons else f"{results.root} holds no runs")
    if reasons:
        print(f"left out: {len(reasons)} of {len(results.runs)} runs; the first is {reasons[0]}", file=sys.stderr)
    return [projected.table(results, target)]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options; argparse exits with status 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="folders, or run ids under --results")
    parser.add_argument("--published", action="store_true", help="published times beside projected ones")
    parser.add_argument("--assumptions", action="store_true", help="devices' data sheets, and what software reaches")
    parser.add_argument("--nodes", type=counts, help="numbers of nodes of a verification, as 2,4,8")
    parser.add_argument("--block", type=whole(1), default=32, help="rows of a window, with --nodes (default: 32)")
    parser.add_argument("--context", type=whole(0), default=512, help="cached positions, with --nodes (default: 512)")
    parser.add_argument("--model", type=names, default=[], help=f"shapes, as llada,dream: {', '.join(PUBLISHED)}")
    parser.add_argument("--device", type=names, default=[], help=f"as h100,h200 (default: all): {', '.join(devices())}")
    parser.add_argument("--engine", default="graph", help=f"software: {', '.join(ENGINES)} (default: graph)")
    parser.add_argument("--batch", type=int, default=1, help="responses that share each forward (default: 1)")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    add_results(parser)
    options = parser.parse_args(arguments)
    if bool(options.runs) + bool(options.nodes) + options.published + options.assumptions != 1:
        parser.error("expected RUN ..., --nodes, --published or --assumptions")
    return options
