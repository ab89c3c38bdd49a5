"""A model whose window forwards all have one shape, so that other states do not change a state's logits."""

from __future__ import annotations

from dataclasses import replace
from math import gcd

import torch
import torch.nn.functional as F
from torch import Tensor

from ssd.modeling.dllm import WindowForwards
from ssd.modeling.forward_input import ForwardInput
from ssd.modeling.forwards import Context, DelegatingModel, DiffusionModel
from ssd.modeling.growing_kv_cache import GrowingKVCache
from ssd.modeling.kv_cache import Window

MULTIPLE = 32
"""Rows per node are padded to a multiple of this, so that every node fills whole tiles of a matrix product.

A library may sum the rows at a product's edge, or rows at unaligned addresses, in another order. A state's logits would
then depend on its index among the nodes.
"""


def whole_tiles(nodes: int, causal_block: int | None) -> int:
    """Return the number of nodes whose blocks together fill whole tiles, at least `nodes`; windows of others do."""
    return nodes if causal_block is None else nodes + -nodes % (MULTIPLE // gcd(MULTIPLE, causal_block))


class BatchInvariantModel(WindowForwards, DelegatingModel):
    """The same weights, but every window forward computes `nodes` states of a padded window (`numerics=locked`).

    The padding is invisible to the other positions. Blocks of block-causal models are short, so there the nodes are
    padded instead of their windows: together they fill whole tiles. Logits are computed in pieces of one shape, so that
    they do not depend on the number of rows either. Forwards over one state (`refresh`, `window_with_shadow`, `slide`)
    keep their number of states.

    Raises ValueError for fewer than 1 node, and for a forward over more states than `nodes`.
    """

    def __init__(self, inner: DiffusionModel, nodes: int) -> None:
        if nodes < 1:
            raise ValueError(f"a batch-invariant model of {nodes} nodes: expected at least 1")
        super().__init__(inner)
        self.nodes = whole_tiles(nodes, inner.config.causal_block)

    def computed_nodes(self, nodes: int) -> int:
        if nodes > self.nodes:
            raise ValueError(
                f"a forward over {nodes} nodes, but runtime.numerics=locked allows {self.nodes}, the decoder's "
                "most_nodes; correct its most_nodes, or pass runtime.numerics=native"
            )
        return self.nodes

    @torch.inference_mode()
    def window(self, states: Tensor, window: Window, kv_cache: Context | None = None) -> Tensor:
        return super().window(self._padded(states), window, kv_cache)[: len(states)]

    @torch.inference_mode()
    def append(
        self, tokens: Tensor, kv_cache: GrowingKVCache, states: Tensor | None = None, window: Window | None = None
    ) -> Tensor:
        if states is not None:
            return super().append(tokens, kv_cache, self._padded(states), window)[: len(states)]
        if not self.config.logits_shift:
            return super().append(tokens, kv_cache)
        # The stored position's logits must not depend on the presence of states: another decoder's forward has some.
        stop = kv_cache.size + len(tokens)
        after = stop + (self.config.causal_block or 0)
        blank = self._padded(tokens.new_empty(0, after - stop))
        return super().append(tokens, kv_cache, blank, Window(stop, after, stop, after, after))[:1, :1]

    def _padded(self, states: Tensor) -> Tensor:
        """Return states [nodes, window] with further ones, all masks."""
        padding = self.computed_nodes(len(states)) - len(states)
        return F.pad(states, (0, 0, 0, padding), value=self.config.mask_id)

    def hidden(self, forward_input: ForwardInput) -> Tensor:
        rows = slice(None) if forward_input.logit_rows is None else forward_input.logit_rows
        forward_input = replace(forward_input, logit_rows=None)  # the number of logit rows must not matter either
        if self.config.causal_block is not None:
            hidden = self.inner.hidden(forward_input)
            before = hidden.shape[1] - forward_input.tokens.shape[1]
            return torch.cat((hidden[:, :before], hidden[:, before:][:, rows]), dim=1)
        if forward_input.written is None and forward_input.visible is None:
            padding = -forward_input.tokens.shape[1] % MULTIPLE
            tokens = F.pad(forward_input.tokens, (0, padding), value=self.config.mask_id)
            forward_input = replace(forward_input, tokens=tokens, padding=padding)
        return self.inner.hidden(forward_input)[:, rows]

    def logits(self, hidden: Tensor) -> Tensor:
        rows = hidden.shape[1]
        pieces = F.pad(hidden, (0, 0, 0, -rows % MULTIPLE)).split(MULTIPLE, dim=1)
        return torch.cat([self.inner.logits(piece) for piece in pieces], dim=1)[:, :rows]
