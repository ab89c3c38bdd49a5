"""Every table of a report, and the files that it is written to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ssd.report.needs import CONFIDENCES, FINISHED, PUBLISHED, TRACED
from ssd.report.results import Results
from ssd.report.tables import (
    attribution,
    circumstances,
    forwards,
    identity,
    left_out,
    main,
    policies,
    projected,
    published,
    reference_chain,
    throughput,
    trees,
)
from ssd.report.tables.latex import latex
from ssd.report.tables.markdown import markdown
from ssd.report.tables.table import Table


class Entry(NamedTuple):
    """A table of a report; `make` returns None if nothing is stored for it. needs: the runs to make it from."""

    make: Callable[[Results], Table | None]
    needs: str


TABLES: dict[str, Entry] = {
    "main": Entry(main.table, FINISHED),
    "policies": Entry(policies.table, "two runs that differ in generation.cache"),
    "trees": Entry(trees.table, "two runs of a decoder that differ in decoder.depth, width, budget or builder"),
    "forwards": Entry(forwards.table, FINISHED),
    "throughput": Entry(throughput.table, "two timed runs that differ in runtime.batch_size"),
    "identity": Entry(identity.table, FINISHED),
    "reference_chain": Entry(reference_chain.table, "a run with runtime.reference=chain"),
    "attribution": Entry(
        attribution.table, f"two runs with {CONFIDENCES} that differ in one thing and share four prompts"
    ),
    "published": Entry(published.table, PUBLISHED),
    "projected": Entry(projected.table, f"{TRACED}; ssd-bench project RUN prints why a run with traces is left out"),
    "circumstances": Entry(circumstances.table, FINISHED),
    "left_out": Entry(left_out.table, "a run that is unfinished or cannot be read"),
}
"""By the name of the table, in the order of the report."""


def write(table: Table, folder: Path) -> list[Path]:
    """Write <name>.csv with all digits, and <name>.md and <name>.tex as shown; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{table.name}.{kind}" for kind in ("csv", "md", "tex")]
    table.frame.to_csv(files[0], index=False)
    files[1].write_text(markdown(table), encoding="utf-8")
    files[2].write_text(latex(table), encoding="utf-8")
    return files
