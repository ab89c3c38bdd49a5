"""Every table of a report, and the files that it is written to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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

Make = Callable[[Results], Table | None]
TABLES: dict[str, Make] = {
    "main": main.table,
    "policies": policies.table,
    "trees": trees.table,
    "forwards": forwards.table,
    "throughput": throughput.table,
    "identity": identity.table,
    "reference_chain": reference_chain.table,
    "attribution": attribution.table,
    "published": published.table,
    "projected": projected.table,
    "circumstances": circumstances.table,
    "left_out": left_out.table,
}
"""Functions by the name of their table, in the order of the report; they return None if nothing is stored for it."""


def write(table: Table, folder: Path) -> list[Path]:
    """Write <name>.csv with all digits, and <name>.md and <name>.tex as shown; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{table.name}.{kind}" for kind in ("csv", "md", "tex")]
    table.frame.to_csv(files[0], index=False)
    files[1].write_text(markdown(table), encoding="utf-8")
    files[2].write_text(latex(table), encoding="utf-8")
    return files
