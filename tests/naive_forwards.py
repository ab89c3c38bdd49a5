"""Forwards of the naive references: transformers' layers, over keys and values that are kept by position."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from ssd.modeling.transformer import Transformer
from tests.modeling.reference import aligned, reference_of


def plain_logits(transformer: Transformer, canvas: list[int]) -> Tensor:
    """Return logits [length, vocabulary] of a whole canvas, aligned to the predicted position."""
    memory, everything = Memory(transformer, len(canvas)), list(range(len(canvas)))
    with torch.no_grad():
        hidden, around = memory.embedded(canvas), memory.around(everything, everything)
        for layer in memory.layers:
            hidden = layer(hidden[None], **around)[0]
        return memory.predicted(hidden)


@dataclass
class Entries:
    """The `past_key_values` of one layer of transformers: it stores its rows, and reads the positions that it sees.

    keys, values: [1, key_value_heads, length, head_size], keys rotated.
    """

    keys: Tensor
    values: Tensor
    rows: list[int]
    seen: list[int]

    def update(self, keys: Tensor, values: Tensor, _: int) -> tuple[Tensor, Tensor]:
        self.keys[:, :, self.rows], self.values[:, :, self.rows] = keys, values
        return self.keys[:, :, self.seen], self.values[:, :, self.seen]


class Memory:
    """What each layer has stored of a canvas.

    keys, values: see `Entries`; inputs: [length, hidden_size], the hidden states that rows last began the layer with;
    stored: the positions of which there are entries.
    """

    def __init__(self, transformer: Transformer, length: int) -> None:
        self.config, self.theirs = transformer.config, reference_of(transformer)
        self.layers, self.stored = self.theirs.model.layers, set[int]()
        shape = (1, self.config.key_value_heads, length, self.config.head_size)
        self.keys, self.values = ([torch.zeros(shape).double() for _ in self.layers] for _ in range(2))
        self.inputs = [torch.zeros(length, self.config.hidden_size).double() for _ in self.layers]

    def forward(self, canvas: list[int], rows: Iterable[int], visible: list[list[int]] | None = None) -> Tensor:
        """Compute `rows` and store them; return logits [length, vocabulary] aligned to the predicted position.

        visible: the positions that each layer attends to; None: all that are stored. Other rows have logits of -inf.
        """
        rows = list(rows)
        self.stored |= set(rows)
        with torch.no_grad():
            hidden = self.embedded(canvas)
            for index, layer in enumerate(self.layers):
                self.inputs[index][rows] = hidden[rows]
                seen = visible[index] if visible else sorted(self.stored)
                hidden[rows] = layer(hidden[rows][None], **self.around(rows, seen, index))[0]
            others = [position for position in range(len(canvas)) if position not in rows]
            return self.predicted(hidden, others)

    def around(self, rows: list[int], seen: list[int], index: int | None = None) -> dict[str, object]:
        """Return what a layer needs to compute `rows`; index: the layer that stores them, None: they are not stored."""
        entries = None if index is None else Entries(self.keys[index], self.values[index], rows, seen)
        return {
            "position_embeddings": self.rotations(rows),
            "attention_mask": torch.zeros(1, 1, len(rows), len(seen), dtype=torch.float64),
            "past_key_values": entries,
        }

    def queries(self, index: int, rows: Iterable[int]) -> Tensor:
        """Return the rotated queries [heads, rows, head_size] of rows that a forward has computed."""
        rows, layer = list(rows), self.layers[index]
        with torch.no_grad():
            normed = layer.input_layernorm(self.inputs[index][rows])
            plain = layer.self_attn.q_proj(normed).view(1, len(rows), -1, self.config.head_size).transpose(1, 2)
            return apply_rotary_pos_emb(plain, plain, *self.rotations(rows))[0][0]

    def embedded(self, canvas: list[int]) -> Tensor:
        """Return hidden states [length, hidden_size]."""
        return self.theirs.model.embed_tokens(torch.tensor(canvas))

    def predicted(self, hidden: Tensor, others: Iterable[int] = ()) -> Tensor:
        """Return aligned logits [length, vocabulary] of hidden states [length, hidden_size]; -inf of the others'."""
        outputs = self.theirs.lm_head(self.theirs.model.norm(hidden))
        outputs[list(others)] = -torch.inf
        return aligned(outputs[None], self.config)[0]

    def rotations(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        return self.theirs.model.rotary_emb(self.inputs[0], torch.tensor([rows]))
