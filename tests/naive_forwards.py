"""Forwards of the naive references: transformers' layers, over keys and values that stand in dictionaries by position."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from ssd.modeling.transformer import Transformer
from tests.modeling.reference import aligned, reference_of, run_bidirectional

Kept = dict[int, tuple[Tensor, Tensor]]
"""Keys and values [key_value_heads, head_size] of positions."""


def plain_logits(transformer: Transformer, canvas: list[int]) -> Tensor:
    """Return logits [length, vocabulary] of a whole canvas, aligned to the predicted position."""
    with torch.no_grad():
        return aligned(run_bidirectional(reference_of(transformer), torch.tensor([canvas])), transformer.config)[0]


@dataclass
class Entries:
    """The `past_key_values` of one layer of transformers: it stores its rows, and reads the positions that it sees."""

    kept: Kept
    rows: list[int]
    seen: list[int]

    def update(self, keys: Tensor, values: Tensor, _: int) -> tuple[Tensor, Tensor]:
        """keys, values: [1, key_value_heads, rows, head_size], rotated; returns those of the seen positions."""
        for place, row in enumerate(self.rows):
            self.kept[row] = keys[0, :, place], values[0, :, place]
        return self.stacked(0), self.stacked(1)

    def stacked(self, part: int) -> Tensor:
        return torch.stack([self.kept[position][part] for position in self.seen], dim=1)[None]


class Memory:
    """Keys and values of every layer, and the hidden states [hidden_size] that its rows last began with."""

    def __init__(self, transformer: Transformer) -> None:
        self.config, self.theirs = transformer.config, reference_of(transformer)
        self.layers = self.theirs.model.layers
        self.stored: list[Kept] = [{} for _ in self.layers]
        self.inputs: list[dict[int, Tensor]] = [{} for _ in self.layers]

    def forward(self, canvas: list[int], rows: Iterable[int], visible: list[list[int]] | None = None) -> Tensor:
        """Compute `rows` and store them; return logits [length, vocabulary] aligned to the predicted position.

        visible: the positions that each layer attends to; None: all that are stored. Other rows have logits of -inf.
        """
        rows = list(rows)
        with torch.no_grad():
            hidden = self.embedded(canvas)[rows]
            for index, layer in enumerate(self.layers):
                self.inputs[index].update(zip(rows, hidden, strict=True))
                hidden = layer(hidden[None], **self.around(index, rows, visible and visible[index]))[0]
            outputs = torch.full((len(canvas), self.config.vocabulary_size), -torch.inf).double()
            outputs[rows] = self.predicted(hidden)
        return outputs if not self.config.logits_shift else outputs[[0, *range(len(canvas) - 1)]]

    def around(self, index: int, rows: list[int], seen: list[int] | None = None) -> dict[str, object]:
        """Return what a layer's attention needs to compute `rows`; seen: None for all stored positions and the rows."""
        seen = seen or sorted({*self.stored[index], *rows})
        return {
            "position_embeddings": self.rotations(rows),
            "attention_mask": torch.zeros(1, 1, len(rows), len(seen), dtype=torch.float64),
            "past_key_values": Entries(self.stored[index], rows, seen),
        }

    def queries(self, index: int, rows: Iterable[int]) -> Tensor:
        """Return the rotated queries [heads, rows, head_size] of rows that a forward has computed."""
        rows, layer = list(rows), self.layers[index]
        with torch.no_grad():
            normed = layer.input_layernorm(torch.stack([self.inputs[index][row] for row in rows]))
            plain = layer.self_attn.q_proj(normed).view(1, len(rows), -1, self.config.head_size).transpose(1, 2)
            return apply_rotary_pos_emb(plain, plain, *self.rotations(rows))[0][0]

    def embedded(self, canvas: list[int]) -> Tensor:
        return self.theirs.model.embed_tokens(torch.tensor(canvas))

    def predicted(self, hidden: Tensor) -> Tensor:
        return self.theirs.lm_head(self.theirs.model.norm(hidden))

    def rotations(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        return self.theirs.model.rotary_emb(torch.zeros((), dtype=torch.float64), torch.tensor([rows]))
