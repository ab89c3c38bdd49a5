"""Keys, values and outputs of every layer for all positions, of which a forward recomputes some (arXiv 2506.06295)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ssd.modeling.attention import attend
from ssd.modeling.transformer import Layer, Transformer


@dataclass(frozen=True)
class Renewal:
    """What a forward recomputes beside the first layer, in which it recomputes everything.

    prompt, response: whether all of these positions; rows: otherwise, how many of the response's positions in each
    layer. Those are the ones whose values changed their direction most, and ties go to the lower position.
    """

    prompt: bool
    response: bool
    rows: int


@dataclass
class _Features:
    """One layer's keys and values [length, key_value_heads, head_size], and its outputs [length, hidden_size]."""

    key: Tensor
    value: Tensor
    attention: Tensor
    mlp: Tensor


class FeatureCache:
    """The features of one canvas; the first `prompt_length` positions are the prompt."""

    def __init__(self, prompt_length: int) -> None:
        self.prompt_length = prompt_length
        self._layers: list[_Features] = []

    def forward(self, transformer: Transformer, tokens: Tensor, renewal: Renewal, logit_rows: slice) -> Tensor:
        """Return hidden states [1, logit rows, hidden_size] of tokens [length]. The first call computes everything."""
        length = len(tokens)
        positions = torch.arange(length, device=tokens.device)
        hidden: Tensor = transformer.embedding(tokens)
        rotations = transformer.rotary.rotations(positions, length, hidden.dtype)
        for index, module in enumerate(transformer.layers):
            layer: Layer = module  # type: ignore[assignment]
            is_new = index == len(self._layers)
            rows = positions
            if index and not is_new:
                prompt, chosen = positions.tensor_split([self.prompt_length])
                if not renewal.response:
                    chosen = self._moved_most(index, layer, hidden, chosen, renewal.rows)
                rows = torch.cat((prompt, chosen)) if renewal.prompt else chosen
            query, key, value = layer.project(hidden[rows], (rotations[0][rows], rotations[1][rows]))
            if is_new:
                self._layers.append(_Features(*(torch.zeros_like(each) for each in (key, value, hidden, hidden))))
            features = self._layers[index]
            features.key[rows], features.value[rows] = key, value
            queries, keys, values = (each.transpose(0, 1)[None] for each in (query, features.key, features.value))
            mixed = attend(queries, keys, values)[0].transpose(0, 1).flatten(1)
            features.attention[rows] = layer.attention_out(mixed)
            hidden = hidden + features.attention
            features.mlp[rows] = layer.mlp(hidden[rows])
            hidden = hidden + features.mlp
        return hidden[None, logit_rows]

    def _moved_most(self, index: int, layer: Layer, hidden: Tensor, response: Tensor, rows: int) -> Tensor:
        """Store new values of the response [positions], and return the `rows` least similar to the old ones."""
        stored = self._layers[index].value
        value = layer.value(layer.attention_norm(hidden[response]))
        likeness = F.cosine_similarity(value, stored[response].flatten(1), dim=-1)
        stored[response] = value.view_as(stored[response])
        return response[likeness.argsort(stable=True)[:rows]]
