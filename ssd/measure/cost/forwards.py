"""Forwards of every shape that a run makes, timed in turn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

from ssd.decoding.cache_policy import POLICIES, cache_policy
from ssd.decoding.canvas import Block, Canvas, block_at, canvas_length, first_start
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure import clock
from ssd.modeling.forwards import DiffusionModel


class Shape(NamedTuple):
    """One forward in a block, over `nodes` states, or (nodes 0) the block's first; length: of prompt and response.

    The block's first forward is the refresh, or where the window is the whole canvas, a plain one over one state. With
    an exact cache, a forward over fewer or more rows counts as the number of nodes with the same rows.
    reach: number of later blocks that also get logits.
    """

    nodes: float
    block: int
    length: int
    reach: float = 0


def block_of(settings: GenerationSettings, logits_shift: int, index: int, length: int, reach: int = 0) -> Block:
    """Return block `index` of a prompt and response of `length` positions, with `reach` later blocks."""
    prompt_length = length - settings.gen_length
    start = first_start(prompt_length, settings) + index * settings.block_length
    whole = canvas_length(prompt_length, settings)
    return block_at(index, start, whole, settings, logits_shift, reach, prompt_length)


def blocks_begun_apart(settings: GenerationSettings) -> int:
    """Return in how many blocks the first forward costs as the shape of 0 nodes; elsewhere it is a plain window."""
    return 1 if POLICIES[settings.cache].refreshes == "response" else settings.blocks


def time_forwards(
    model: DiffusionModel,
    settings: GenerationSettings,
    special: SpecialTokens,
    lengths: Sequence[int],
    blocks: Sequence[int],
    nodes: Sequence[int],
    reaches: Sequence[int],
    budget_s: float,
    most_rounds: int,
) -> dict[Shape, list[float]]:
    """Return the seconds of every shape, each timed once per round, so that a slow moment affects all alike.

    Shapes are all combinations of `lengths` (of canvases), `blocks`, `reaches` and `nodes`, 0 included. Each is made
    twice in a row and timed the second time, as forwards mostly follow their like: behind one of 32 states, one of a
    single state takes a tenth longer on a CPU, whose caches hold none of it. One round is always made, others only as
    long as they promise to end within `budget_s`.
    Raises ValueError if a canvas exceeds the model's context.
    """
    if max(lengths) > model.config.context_length:
        raise ValueError(
            f"a canvas of {max(lengths)} positions exceeds the model's context of {model.config.context_length}; "
            "shorten the prompt or generation.gen_length"
        )
    measured: defaultdict[Shape, list[float]] = defaultdict(list)
    spent_s, rounds = 0.0, 0
    while not rounds or (rounds < most_rounds and spent_s * (1 + 1 / rounds) <= budget_s):
        rounds += 1
        for length, index, reach in product(lengths, blocks, reaches):
            for shape, make in _forwards_of_block(model, settings, special, Shape(0, index, length, reach), nodes):
                for seconds in (clock.timed(make, model.device)[1] for _ in range(2)):
                    spent_s += seconds
                measured[shape].append(seconds)
    return dict(measured)


def _forwards_of_block(
    model: DiffusionModel,
    settings: GenerationSettings,
    special: SpecialTokens,
    first_shape: Shape,
    nodes: Sequence[int],
) -> Iterator[tuple[Shape, Callable[[], object]]]:
    """Yield each shape of one block with its forward; window forwards share the context of the first forward."""
    _, index, length, reach = first_shape
    canvas = Canvas([special.fill_id] * (length - settings.gen_length), settings, special)
    block = block_of(settings, model.config.logits_shift, index, length, int(reach))
    window, tokens, policy = block.window, canvas.tokens, cache_policy(settings)
    stored = block.start - settings.block_length if index else 0
    context = policy.fill(model, canvas, stored)

    def first() -> None:
        nonlocal context
        policy.rewind(stored)
        context = policy.open(model, canvas, tokens[None, block.start : block.span_stop], block, False).context

    yield first_shape, first
    for count in nodes:
        states = tokens[window.start : window.stop].repeat(count, 1)
        yield first_shape._replace(nodes=count), partial(model.window, states, window, context)
