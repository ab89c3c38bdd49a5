"""A model whose window forwards all have one shape, so that a state's logits do not depend on how many ride along."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.forward_input import ForwardInput
from ssd.modeling.kv_cache import KVCache, Window

MULTIPLE = 32
"""Rows per node are padded to a multiple of this, so that every node fills whole tiles of a matrix product.

A library may add up the rows at a product's edge in another order than the others, and what lies askew in memory too;
a state's logits would then depend on its place among the nodes.
"""


class BatchInvariantModel(MaskedDiffusionModel):
    """The same weights; every window forward evaluates `nodes` states of a padded window, however many are asked for.

    Nobody sees the padding. Logits come in pieces of one shape, so that they do not depend on the number of rows asked
    for either. Forwards of one state by nature (`refresh`, `window_with_shadow`, `slide`) keep their shape.
    Raises ValueError for a lock below 1 node, and for a forward of more states than it holds.
    """

    def __init__(self, model: MaskedDiffusionModel, nodes: int) -> None:
        if nodes < 1:
            raise ValueError(f"a lock of {nodes} nodes: expected at least 1")
        self.transformer, self.config, self.nodes = model.transformer, model.config, nodes
        self.inner = model

    def computed_nodes(self, nodes: int) -> int:
        return self.nodes

    @torch.inference_mode()
    def window(self, states: Tensor, window: Window, context: KVCache | None = None) -> Tensor:
        """See `MaskedDiffusionModel.window`."""
        asked = states.shape[0]
        if asked > self.nodes:
            raise ValueError(
                f"a forward over {asked} nodes, but runtime.numerics=locked holds {self.nodes}, the decoder's most; "
                "mend its most_nodes, or pass runtime.numerics=native"
            )
        filled = F.pad(states, (0, 0, 0, self.nodes - asked), value=self.config.mask_id)
        return super().window(filled, window, context)[:asked]

    def _context(self, window: Window) -> KVCache:
        return self.inner._context(window)

    def _hidden(self, part: ForwardInput) -> Tensor:
        wanted = slice(None) if part.wanted is None else part.wanted
        part = replace(part, wanted=None)  # how many rows are asked for must not matter either
        if part.keep is None and part.visible is None:
            padding = -part.tokens.shape[1] % MULTIPLE
            tokens = F.pad(part.tokens, (0, padding), value=self.config.mask_id)
            part = replace(part, tokens=tokens, padding=padding)
        return self.inner._hidden(part)[:, wanted]

    def _logits(self, hidden: Tensor) -> Tensor:
        rows = hidden.shape[1]
        pieces = F.pad(hidden, (0, 0, 0, -rows % MULTIPLE)).split(MULTIPLE, dim=1)
        return torch.cat([self.transformer.predict(piece) for piece in pieces], dim=1)[:, :rows]
