"""The held-out evaluation of `ssd-bench calibrate`: tokens per forward of drafts on recorded trajectories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ssd.metrics.oracle import oracle_nfe
from ssd.speculation.pick_model import PRIOR, Features
from ssd.speculation.recording import Trajectory
from ssd.speculation.replay import Replayed, replay

NODES = (2, 4, 8, 9, 16)
MOST_NODES = max(NODES)
WIDTH = 4
"""Continuations per node, the default of best_first."""
Replay = Callable[[Trajectory, int], Replayed]


def held_out(trajectories: Sequence[Trajectory], prior: Features) -> list[dict[str, Any]]:
    """Return one row per kind of draft and number of nodes: tokens per forward, expected and reached."""
    kinds: dict[str, Replay] = {
        "chain": lambda each, nodes: replay(each, "chain", nodes, 1, PRIOR),
        "built-in prior": lambda each, nodes: replay(each, "best_first", nodes, WIDTH, PRIOR),
        "calibrated prior": lambda each, nodes: replay(each, "best_first", nodes, WIDTH, prior),
        "oracle": _oracle,
    }
    tokens = sum(each.tokens for each in trajectories)
    rows = []
    for kind, count in kinds.items():
        for nodes in NODES:
            replayed = [count(each, nodes) for each in trajectories]
            forwards, steps, expected = map(sum, zip(*replayed, strict=True))
            reached = tokens / forwards
            rows.append(
                {
                    "drafts": kind,
                    "nodes": nodes,
                    "expected": round(reached * expected / steps, 3),
                    "reached": round(reached, 3),
                }
            )
    return rows


def table(rows: Sequence[dict[str, Any]], prompts: int) -> str:
    """Return the rows as a table: kinds below each other, numbers of nodes beside each other."""
    head = f"{'nodes':<18}" + "".join(f"{nodes:>14}" for nodes in NODES)
    lines = [f"tokens per forward on {prompts} held-out prompts, reached (expected):", head]
    for kind in dict.fromkeys(row["drafts"] for row in rows):
        cells = [f"{row['reached']:.2f} ({row['expected']:.2f})" for row in rows if row["drafts"] == kind]
        lines.append(f"{kind:<18}" + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join([*lines, "The oracle's drafts are always right: it is the limit for a number of nodes."])


def _oracle(trajectory: Trajectory, nodes: int) -> Replayed:
    forwards, steps = oracle_nfe(trajectory.trace, nodes), trajectory.trace.nfe
    return Replayed(forwards, steps, float(steps))
