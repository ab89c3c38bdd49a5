"""Checks of the options of self-speculation."""

from __future__ import annotations

from typing import Literal, get_args

from ssd.speculation import draft_tree as tree
from ssd.speculation.draft_graph import MAKE_ONE

Builder = Literal[tree.Builder, "spiffy"]
Depth = int | Literal["auto"]
BY_LIKELIHOOD: tuple[Builder, ...] = ("chain", "best_first")
"""Builders that add the likeliest node first."""


def check_options(
    depth: Depth, width: int | None, budget: int | None, builder: Builder, alternatives: bool, graph: str | None
) -> None:
    """Raise ValueError for options that do not fit each other, naming the option, its value and the expected ones."""
    if depth != "auto" and (type(depth) is not int or depth < 1):
        raise ValueError(f"decoder.depth={depth}: expected auto or a whole number of at least 1")
    if width is not None and (type(width) is not int or width < 1):
        raise ValueError(f"decoder.width={width}: expected null or a whole number of at least 1")
    if budget is not None and (type(budget) is not int or budget < 2):
        raise ValueError(f"decoder.budget={budget}: expected null or at least 2 nodes (the current state and a draft)")
    if builder not in get_args(Builder):
        raise ValueError(f"decoder.builder={builder!r}: expected one of {', '.join(get_args(Builder))}")
    if depth == "auto" and builder not in BY_LIKELIHOOD:
        raise ValueError(
            f"decoder.depth=auto: decoder.builder={builder} does not draft its likeliest nodes first; choose "
            f"decoder.builder={' or '.join(BY_LIKELIHOOD)}, or a number of steps"
        )
    if type(alternatives) is not bool:
        raise ValueError(f"decoder.alternatives={alternatives}: expected true or false")
    if builder in ("chain", "spiffy") and (width not in (None, 1) or alternatives):
        reason = "a chain has one node per depth" if builder == "chain" else "spiffy drafts what its graph says"
        raise ValueError(
            f"decoder.width={width}, decoder.alternatives={alternatives}: {reason}; "
            "choose decoder.builder=kary or best_first for a wider tree"
        )
    if builder == "spiffy" and not (isinstance(graph, str) and graph):
        raise ValueError(f"decoder.graph={graph}: decoder.builder=spiffy needs a draft graph; {MAKE_ONE}")
    if builder != "spiffy" and graph is not None:
        raise ValueError(f"decoder.graph={graph}: expected null, for decoder.builder={builder} reads no graph")
