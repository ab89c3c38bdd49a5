"""Whether one state's result depends on the states beside it: for the parts of a forward, and for the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ssd.config.plan import Plan
from ssd.decoding.cache_policy import cache_policy, plain_caches
from ssd.decoding.canvas import Canvas
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.attention import attend
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.transformer import Layer

SEED = 0
"""Of the states that are tried: the same on every device, in every call."""

Found = Iterator[tuple[str, "Independence"]]


class Independence(NamedTuple):
    """Whether a node's bits stay the same whatever the other nodes hold, wherever it stands, however many there are."""

    of_contents: bool
    of_index: bool
    of_number: bool


def independence(function: Callable[[Tensor], Tensor], nodes: Tensor, others: Tensor) -> Independence:
    """function: of inputs [nodes, ...] to as many outputs; others: of the same shape as `nodes`, but other contents."""
    results = function(nodes)
    changed = function(torch.cat((nodes[:1], others[1:])))
    return Independence(
        torch.equal(changed[0], results[0]),
        all(torch.equal(function(nodes.roll(by, 0)), results.roll(by, 0)) for by in range(1, len(nodes))),
        all(torch.equal(function(nodes[:count]), results[:count]) for count in range(1, len(nodes))),
    )


@torch.inference_mode()
def building_blocks(model: DiffusionModel, prompt: Sequence[int], settings: GenerationSettings, nodes: int) -> Found:
    """Matrix products and both kinds of attention, in the model's shapes, over rows of a block and of a canvas."""
    config, layer = model.config, model.transformer.layers[0]
    assert isinstance(layer, Layer)
    heads, groups, size = config.heads, config.key_value_heads, config.head_size
    context = len(prompt) + settings.gen_length - settings.block_length
    generator = torch.Generator().manual_seed(SEED)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(model.device, model.dtype)

    def attention(packed: Tensor, beside_context: bool) -> Tensor:
        vectors = packed.transpose(1, 2).split((heads, groups, groups), dim=1)
        return attend(*vectors, *((frozen, room) if beside_context else ()))

    for rows in (settings.block_length, len(prompt) + settings.gen_length):
        hidden = (drawn(nodes, rows, config.hidden_size), drawn(nodes, rows, config.hidden_size))
        wide = (drawn(nodes, rows, config.mlp_size), drawn(nodes, rows, config.mlp_size))
        room = (drawn(groups, context + rows, size), drawn(groups, context + rows, size))
        frozen = (room[0][:, :context], room[1][:, :context])
        packed = [drawn(nodes, rows, heads + 2 * groups, size) for _ in range(2)]
        yield f"linear up, {rows} rows", independence(lambda x: F.linear(x, layer.up.weight), *hidden)
        yield f"linear down, {rows} rows", independence(lambda x: F.linear(x, layer.down.weight), *wide)
        yield f"head, {rows} rows", independence(model.transformer.predict, *hidden)
        yield f"attention, {rows} rows", independence(lambda x: attention(x, False), *packed)
        yield f"with context, {rows} rows", independence(lambda x: attention(x, True), *packed)


def window_forwards(model: DiffusionModel, prompt: Sequence[int], plan: Plan, nodes: int) -> Found:
    """Whole window forwards over the first block, for every cache mode."""
    canvas = Canvas(prompt, plan.settings, plan.special)
    for cache in plain_caches(plan.settings.grid):
        settings = plan.settings.with_cache(cache)
        block = next(canvas.blocks(settings, model.config.logits_shift))
        window, state = block.window, canvas.tokens[None, block.start : block.span_stop]
        context = cache_policy(settings).open(model, canvas, state, block, False).context
        generator = torch.Generator().manual_seed(SEED)
        drawn = torch.randint(2, model.config.vocabulary_size, (2, nodes, window.size), generator=generator)
        evaluate = partial(model.window, window=window, kv_cache=context)
        yield f"forward, {cache} cache", independence(evaluate, *drawn)
