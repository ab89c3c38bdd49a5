"""One bidirectional transformer for LLaDA and Dream: pre-norm, RoPE, SwiGLU, no causal mask anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssd.modeling.attention import Rotary, attend, rotate, widest
from ssd.modeling.config import ModelConfig
from ssd.modeling.forward_input import ForwardInput, logit_row_count, logit_row_indices

Project = Callable[["Layer", Tensor, tuple[Tensor, Tensor], Tensor | None], tuple[Tensor, Tensor, Tensor]]
Finish = Callable[["Layer", Tensor, Tensor], Tensor]


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

    def forward(
        self,
        hidden: Tensor,
        turns: tuple[Tensor, Tensor],
        parts: Sequence[ForwardInput],
        index: int,
        wanted: Tensor | None = None,
        steps: tuple[Project, Finish] | None = None,
    ) -> Tensor:
        """hidden: [rows, hidden_size], the rows of all parts one after the other; the same shape comes back.

        Matrices are applied to all rows at once; each part attends to its own. turns: the rows' `Rotary.turns`; index:
        of this layer; wanted: int64, the rows that come back, all if None; steps: what stands in for `project` and
        `finish`.
        """
        project, finish = steps or (Layer.project, Layer.finish)
        query, key, value = project(self, hidden, turns, wanted)
        nodes = [part.tokens.shape[0] for part in parts]
        sizes = [part.tokens.numel() for part in parts]
        asked = sizes if wanted is None else [logit_row_count(part) for part in parts]
        each = zip(parts, nodes, query.split(asked), key.split(sizes), value.split(sizes), strict=True)
        mixed = [
            _mix(part, index, *(rows.unflatten(0, (count, -1)).transpose(1, 2) for rows in of_part))
            for part, count, *of_part in each
        ]
        hidden = hidden if wanted is None else hidden[wanted]
        return finish(self, hidden, mixed[0] if len(mixed) == 1 else torch.cat(mixed))

    def project(
        self, hidden: Tensor, turns: tuple[Tensor, Tensor], wanted: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rotated queries (of the wanted rows) and keys, and values, each [rows, heads, head_size]."""
        normed = self.attention_norm(hidden)
        split = (-1, self.head_size)
        key = rotate(self.key(normed).unflatten(-1, split), turns)
        value = self.value(normed).unflatten(-1, split)
        if wanted is not None:
            normed, turns = normed[wanted], (turns[0][wanted], turns[1][wanted])
        return rotate(self.query(normed).unflatten(-1, split), turns), key, value

    def finish(self, hidden: Tensor, mixed: Tensor) -> Tensor:
        """hidden [rows, hidden_size] after attention's [rows, heads · head_size] and the MLP were added."""
        hidden = hidden + self.attention_out(mixed)
        normed = self.mlp_norm(hidden)
        return hidden + self.down(F.silu(self.gate(normed)) * self.up(normed))


def _mix(part: ForwardInput, index: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of one part [rows, heads · head_size], from its [nodes, heads, positions, head_size]."""
    if part.keep is not None:
        part.keep.write(index, key, value)
    if part.padding:
        key, value = key[:, :, : -part.padding], value[:, :, : -part.padding]
    if part.context is None:
        mixed = attend(query, key, value, visible=part.visible)
    else:
        mixed = part.context.attend(index, query, key, value, part.visible)
    return mixed.transpose(1, 2).flatten(2).flatten(0, 1)


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

    def forward(self, parts: Sequence[ForwardInput]) -> list[Tensor]:
        """Hidden states [nodes, wanted, hidden_size] of every part, whose windows and contexts are its own."""
        if parts[0].replay is not None:
            return [part.replay() for part in parts]
        stop = max(part.stop for part in parts)
        positions = torch.cat([part.each_position() for part in parts])
        turns = self.rotary.turns(positions, stop, self.embedding.weight.dtype)
        hidden = self.through(parts, turns, logit_row_indices(parts))
        each = hidden.split([logit_row_count(part) for part in parts])
        return [rows.unflatten(0, (len(part.tokens), -1)) for part, rows in zip(parts, each, strict=True)]

    def through(
        self,
        parts: Sequence[ForwardInput],
        turns: tuple[Tensor, Tensor],
        wanted: Tensor | None = None,
        steps: tuple[Project, Finish] | None = None,
    ) -> Tensor:
        """Hidden states [rows, hidden_size] of all parts' wanted rows, which only the last layer tells apart.

        turns: the rows' `Rotary.turns`; wanted: `logit_row_indices` of the parts; steps: as `Layer.forward` takes them.
        """
        hidden = self.embedding(torch.cat([part.tokens.flatten() for part in parts]))
        last = len(self.layers) - 1
        for index, layer in enumerate(self.layers):
            hidden = layer(hidden, turns, parts, index, wanted if index == last else None, steps)
        return hidden

    def predict(self, hidden: Tensor) -> Tensor:
        """Logits [..., vocabulary] of hidden states [..., hidden_size]; the caller picks the rows."""
        return self.head(self.norm(hidden))

    def logits(self, tokens: Tensor) -> Tensor:
        """Logits [batch, length, vocabulary] of whole canvases, aligned to the position they predict."""
        outputs = self.predict(self([ForwardInput(tokens)])[0])
        if not self.config.logits_shift:
            return outputs
        return torch.cat((outputs[:, :1], outputs[:, :-1]), dim=1)
