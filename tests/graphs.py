"""Draft graphs at random, calibrated on nothing."""

import atexit
import random
import shutil
import tempfile
from functools import cache
from pathlib import Path

from ssd.speculation.draft_graph import DraftGraph, GraphNode, RankedPick, Steps


def random_graph(seed: int) -> DraftGraph:
    """Nodes that each go on from an earlier one by a step of the graph's own size, mostly by low ranks."""
    generator = random.Random(seed)
    per_step, reach = generator.choice([1, 1, 2, 3]), generator.randrange(3, 12)
    found: dict[frozenset[RankedPick], Steps] = {frozenset(): ()}
    for _ in range(generator.randrange(1, 40)):
        before = generator.choice(list(found.values()))
        taken = {pick.position for step in before for pick in step}
        free = [position for position in range(reach) if position not in taken]
        if len(free) >= per_step:
            positions = sorted(free, key=lambda position: position * generator.random())[:per_step]
            step = tuple(RankedPick(position, int(generator.random() < 0.2)) for position in sorted(positions))
            found.setdefault(frozenset(pick for each in (*before, step) for pick in each), (*before, step))
    del found[frozenset()]
    return DraftGraph(tuple(GraphNode(steps, generator.random()) for steps in found.values()), {"seed": seed})


@cache
def random_graph_file(seed: int) -> str:
    """The file of a random graph."""
    file = _folder() / f"{seed}.json"
    random_graph(seed).write(file)
    return str(file)


@cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="graphs")
    atexit.register(shutil.rmtree, folder)
    return Path(folder)
