"""Keys, values and outputs of every layer for all positions, of which a forward recomputes some (arXiv 2506.06295)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ssd.modeling.attention import attend
from ssd.modeling.transformer import Layer, Transformer


@dataclass(frozen=True)
class Renewal:
    """What a forward recomputes. In the first layer it always recomputes the response.

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
    """The features of one canvas; the first `prompt_length` positions are the prompt.

    Outputs that no layer and no later forward reads are not computed. In the first layer these are the prompt's unless
    it is renewed, in the last one those left of the logit rows, which only move right.
    """

    def __init__(self, prompt_length: int) -> None:
        self.prompt_length = prompt_length
        self._layers: list[_Features] = []

    def forward(self, transformer: Transformer, tokens: Tensor, renewal: Renewal, logit_rows: slice) -> Tensor:
        """Return hidden states [1, logit rows, hidden_size] of tokens [length]. The first call computes everything."""
        if not self._layers:
            renewal = replace(renewal, prompt=True, response=True)
        length = len(tokens)
        positions = torch.arange(length, device=tokens.device)
        prompt, response = positions.tensor_split([self.prompt_length])
        hidden: Tensor = transformer.embedding(tokens)
        rotations = transformer.rotary.rotations(positions, length, hidden.dtype)
        for index, module in enumerate(transformer.layers):
            layer: Layer = module  # type: ignore[assignment]
            if not index:
                rows = positions[0 if renewal.prompt else min(self.prompt_length, logit_rows.start) :]
            else:
                chosen = response
                if not renewal.response:
                    chosen = self._moved_most(index, layer, hidden, response, renewal.rows)
                rows = torch.cat((prompt, chosen)) if renewal.prompt else chosen
            is_last = index == len(transformer.layers) - 1
            unread = self._unread(renewal, logit_rows.start) if index and is_last else 0
            written = rows[unread:]
            query, key, value = layer.project(
                hidden[rows], (rotations[0][rows], rotations[1][rows]), positions[unread : len(rows)]
            )
            if index == len(self._layers):
                self._layers.append(_Features(*(torch.zeros_like(each) for each in (key, value, hidden, hidden))))
            features = self._layers[index]
            features.key[rows], features.value[rows] = key, value
            queries, keys, values = (each.transpose(0, 1)[None] for each in (query, features.key, features.value))
            mixed = attend(queries, keys, values)[0].transpose(0, 1).flatten(1)
            features.attention[written] = layer.attention_out(mixed)
            hidden = hidden + features.attention
            features.mlp[written] = layer.mlp(hidden[written])
            hidden = hidden + features.mlp
        return hidden[None, logit_rows]

    def _unread(self, renewal: Renewal, first: int) -> int:
        """Return how many of the last layer's rows, which come first, stand left of the first logit row.

        Where the response is not renewed, its chosen rows are all taken: to count them would take a synchronisation.
        """
        prompt = min(self.prompt_length, first) if renewal.prompt else 0
        return prompt + (max(0, first - self.prompt_length) if renewal.response else 0)

    def _moved_most(self, index: int, layer: Layer, hidden: Tensor, response: Tensor, rows: int) -> Tensor:
        """Store new values of the response [positions], and return the `rows` least similar to the old ones."""
        stored = self._layers[index].value
        value = layer.value(layer.attention_norm(hidden[response]))
        likeness = F.cosine_similarity(value, stored[response].flatten(1), dim=-1)
        stored[response] = value.view_as(stored[response])
        return response[likeness.argsort(stable=True)[:rows]]
