"""The runs of a results folder's last grid, so that a report can be made of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from ssd.results.atomic_io import write_json
from ssd.results.reader import read_json

FILE = "last_grid.json"


def keep_grid(folders: Iterable[Path]) -> None:
    """Write the names of a grid's folders beside them, whether they exist yet or not."""
    names = defaultdict(list)
    for folder in folders:
        names[folder.parent].append(folder.name)
    for results_dir, runs in names.items():
        write_json(results_dir / FILE, {"runs": runs})


def last_grid(results_dir: Path) -> list[str]:
    """Return the names of the last grid's folders. Raises FileNotFoundError or ValueError without a grid."""
    file = results_dir / FILE
    if not file.is_file():
        raise FileNotFoundError(f"{results_dir} holds no grid; run one first, with -m, or leave --last-grid out")
    return list(read_json(file)["runs"])
