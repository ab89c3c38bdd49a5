"""One bidirectional transformer for LLaDA and Dream: pre-norm, RoPE, SwiGLU, no causal mask anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssd.modeling.attention import Rotary, attend, rotate, widest
from ssd.modeling.config import ModelConfig
from ssd.modeling.context import Context, SlidingContext


@dataclass(frozen=True)
class Part:
    """One window of a forward: tokens [nodes, window] at the positions from `start` on.

    context: frozen keys and values to attend to besides; keep: a context to fill from this forward;
    positions [window], visible [window, window]: for a window that is no plain run of positions: others among the
    `window` ones from `start` on, and who sees whom (see `attend`).
    """

    tokens: Tensor
    start: int = 0
    context: Context | SlidingContext | None = None
    keep: Context | SlidingContext | None = None
    positions: Tensor | None = None
    visible: Tensor | None = None

    @property
    def stop(self) -> int:
        """All positions lie before it."""
        return self.start + self.tokens.shape[1]

    def each_position(self) -> Tensor:
        """[nodes · window], on the tokens' device."""
        positions = self.positions
        if positions is None:
            positions = torch.arange(self.start, self.stop, device=self.tokens.device)
        return positions.expand(self.tokens.shape).flatten()


class RMSNorm(nn.Module):
    """Root mean square norm computed in float32 or wider (arXiv 1910.07467)."""

    def __init__(self, size: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, hidden: Tensor) -> Tensor:
        wide = hidden.to(widest(hidden.dtype))
        return self.weight * F.rms_norm(wide, (hidden.shape[-1],), eps=self.epsilon).to(hidden.dtype)


class Layer(nn.Module):
    """Attention and SwiGLU, each behind its norm and around a residual."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size, head_size = config.hidden_size, config.head_size
        bias = config.query_key_value_bias
        self.head_size = head_size
        self.attention_norm = RMSNorm(size, config.norm_epsilon)
        self.query = nn.Linear(size, config.heads * head_size, bias=bias)
        self.key = nn.Linear(size, config.key_value_heads * head_size, bias=bias)
        self.value = nn.Linear(size, config.key_value_heads * head_size, bias=bias)
        self.attention_out = nn.Linear(config.heads * head_size, size, bias=False)
        self.mlp_norm = RMSNorm(size, config.norm_epsilon)
        self.gate = nn.Linear(size, config.mlp_size, bias=False)
        self.up = nn.Linear(size, config.mlp_size, bias=False)
        self.down = nn.Linear(config.mlp_size, size, bias=False)

    def forward(self, hidden: Tensor, turns: tuple[Tensor, Tensor], parts: Sequence[Part], index: int) -> Tensor:
        """hidden: [rows, hidden_size], the rows of all parts one after the other; the same shape comes back.

        Matrices are applied to all rows at once; each part attends to its own. turns: the rows' `Rotary.turns`; index:
        of this layer.
        """
        normed = self.attention_norm(hidden)
        split = (len(hidden), -1, self.head_size)
        query, key, value = (project(normed).view(split) for project in (self.query, self.key, self.value))
        query, key = rotate(query, turns), rotate(key, turns)
        sizes = [part.tokens.numel() for part in parts]
        each = zip(parts, *(vectors.split(sizes) for vectors in (query, key, value)), strict=True)
        mixed = [self._mix(part, index, *of_part) for part, *of_part in each]
        hidden = hidden + self.attention_out(mixed[0] if len(mixed) == 1 else torch.cat(mixed))
        normed = self.mlp_norm(hidden)
        return hidden + self.down(F.silu(self.gate(normed)) * self.up(normed))

    def _mix(self, part: Part, index: int, *rotated: Tensor) -> Tensor:
        """Attention of one part [rows, heads · head_size], from queries, keys, values [rows, heads, head_size]."""
        split = (*part.tokens.shape, -1, self.head_size)
        query, key, value = (vectors.view(split).transpose(1, 2) for vectors in rotated)
        if part.keep is not None:
            part.keep.freeze(index, key, value)
        frozen = room = None
        if part.context is not None:
            frozen, room = part.context.layers[index], part.context.rooms[index]
        mixed = attend(query, key, value, frozen, room, part.visible)
        return mixed.transpose(1, 2).reshape(len(rotated[0]), -1)


class Transformer(nn.Module):
    """tokens → hidden states; `head` turns hidden states into logits. One call is one forward (NFE)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocabulary_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.hidden_size, config.norm_epsilon)
        self.head = nn.Linear(config.hidden_size, config.vocabulary_size, bias=False)
        self.rotary = Rotary(config.head_size, config.rope_theta, config.rope_full_precision)

    def forward(self, parts: Sequence[Part]) -> list[Tensor]:
        """Hidden states [nodes, window, hidden_size] of every part, whose windows and contexts are its own."""
        hidden = self.embedding(torch.cat([part.tokens.flatten() for part in parts]))
        positions = torch.cat([part.each_position() for part in parts])
        turns = self.rotary.turns(positions, max(part.stop for part in parts), hidden.dtype)
        for index, layer in enumerate(self.layers):
            hidden = layer(hidden, turns, parts, index)
        each = hidden.split([part.tokens.numel() for part in parts])
        return [rows.view(*part.tokens.shape, -1) for part, rows in zip(parts, each, strict=True)]

    def predict(self, hidden: Tensor) -> Tensor:
        """Logits [..., vocabulary] of hidden states [..., hidden_size]; the caller picks the rows."""
        return self.head(self.norm(hidden))

    def logits(self, tokens: Tensor) -> Tensor:
        """Logits [batch, length, vocabulary] of whole canvases, aligned to the position they predict."""
        outputs = self.predict(self([Part(tokens)])[0])
        if not self.config.logits_shift:
            return outputs
        return torch.cat((outputs[:, :1], outputs[:, :-1]), dim=1)
