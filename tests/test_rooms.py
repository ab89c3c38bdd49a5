"""Imports run one way, from room to room, as docs/architecture.md draws it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data import REPOSITORY, project_files

LEVELS = (
    {"paths", "extras", "version"},
    {"modeling"},
    {"decoding"},
    {"speculation"},
    {"baselines"},
    {"sandbox"},
    {"tasks"},
    {"config"},
    {"results"},
    {"measure", "metrics"},
    {"audit", "report"},
    {"run"},
    {"campaign"},
    {"api"},
    {"__init__"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
"""From below to above: a room may import those of lower levels, and itself."""
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms} | {"integrations": len(LEVELS)}
FORBIDDEN = {
    "sandbox": set(LEVEL),
    "tasks": set(LEVEL) - {"sandbox", "extras"},
    "decoding": {"baselines", "speculation"},
    "integrations": {"campaign", "commands", "cli"},
}
"""What a room may not import although it lies below. The sandbox runs in processes that have the standard library only;
tasks know nothing of models."""


def room_of(module: str) -> str:
    """`baselines`, or the part of a module's name behind `ssd`."""
    first, *rest = module.split(".")
    return "baselines" if first == "baselines" else (rest or ["__init__"])[0]


def imported(file: Path) -> Iterator[tuple[int, str]]:
    """Line and module of every import of our own packages, those inside functions included."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if node.module == "ssd":
                names = [f"ssd.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] in ("ssd", "baselines"))


def faults(file: Path, module: str) -> list[str]:
    """Imports of a file that run upward or into a forbidden room."""
    own = room_of(module)
    found = []
    for line, name in imported(file):
        room = room_of(name)
        level = LEVEL.get(room, 0)
        if room != own and (level >= LEVEL[own] or room in FORBIDDEN.get(own, ())):
            found.append(f"{module}, line {line}: {own} imports {name}")
    return found


def modules() -> Iterator[tuple[Path, str]]:
    for root in ("ssd", "baselines"):
        for file in project_files(f"{root}/**/*.py"):
            yield file, ".".join(file.relative_to(REPOSITORY).with_suffix("").parts)


def test_every_room_has_its_place():
    rooms = {room_of(module) for _, module in modules()}
    assert rooms <= set(LEVEL)


@pytest.mark.slow
def test_imports_run_one_way():
    assert [fault for file, module in modules() for fault in faults(file, module)] == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("ssd.modeling.wrong", "from ssd.decoding.trace import Trace"),
        ("ssd.run.wrong", "import ssd.campaign.dispatch"),
        ("ssd.tasks.wrong", "from ssd.config.plan import Plan"),
        ("ssd.metrics.wrong", "def f():\n    from ssd.measure import clock"),
        ("ssd.integrations.wrong", "from ssd.campaign import dispatch"),
    ],
)
def test_an_import_upward_is_found(tmp_path, module, line):
    (tmp_path / "wrong.py").write_text(line)
    assert len(faults(tmp_path / "wrong.py", module)) == 1
