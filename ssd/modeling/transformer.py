"""One transformer for all families: pre-norm, RoPE, SwiGLU, attention over everything that an input shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ssd.modeling.attention import Rotary, attend, rotate
from ssd.modeling.config import ModelConfig
from ssd.modeling.forward_input import ForwardInput, logit_row_count, logit_row_indices, with_stored
from ssd.modeling.modules import Linear, RMSNorm
from ssd.modeling.selective_kv_cache import SelectiveKVCache

Rotations = tuple[Tensor, Tensor]
"""Cosines and sines of the rows, see `Rotary.rotations`."""
Project = Callable[["Layer", Tensor, Rotations, Tensor | None], tuple[Tensor, Tensor, Tensor]]
Finish = Callable[["Layer", Tensor, Tensor], Tensor]


class Layer(nn.Module):
    """Attention and SwiGLU, each after a norm and with a residual."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        size, head_size = config.hidden_size, config.head_size
        bias = config.query_key_value_bias
        self.heads, self.key_value_heads, self.head_size = config.heads, config.key_value_heads, head_size
        self.attention_norm = RMSNorm(size, config.norm_epsilon)
        self.query = Linear(size, config.heads * head_size, bias=bias)
        self.key = Linear(size, config.key_value_heads * head_size, bias=bias)
        self.value = Linear(size, config.key_value_heads * head_size, bias=bias)
        if config.query_key_norm:
            self.query_norm = RMSNorm(head_size, config.norm_epsilon)
            self.key_norm = RMSNorm(head_size, config.norm_epsilon)
        self.has_norms = config.query_key_norm
        self.attention_out = Linear(config.heads * head_size, size, bias=False)
        self.mlp_norm = RMSNorm(size, config.norm_epsilon)
        self.gate = Linear(size, config.mlp_size, bias=False)
        self.up = Linear(size, config.mlp_size, bias=False)
        self.down = Linear(config.mlp_size, size, bias=False)
        self.__dict__.update(self._modules)  # found at once; nn.Module looks its parts up in Python

    def forward(
        self,
        hidden: Tensor,
        rotations: Rotations,
        inputs: Sequence[ForwardInput],
        index: int,
        logit_rows: Tensor | None = None,
        steps: tuple[Project, Finish] | None = None,
    ) -> Tensor:
        """Return hidden states [rows, hidden_size] after this layer.

        hidden: [rows, hidden_size], the rows of all inputs in order. Matrices apply to all rows at once; attention
        stays within each input. index: of this layer; logit_rows: int64 indices of the rows to return, None: all;
        steps: used in place of `project` and `finish`.
        """
        project, finish = steps or (Layer.project, Layer.finish)
        query, key, value = project(self, hidden, rotations, logit_rows)
        of_logit_rows = logit_rows is not None
        if len(inputs) == 1:
            mixed = _mix(inputs[0], index, of_logit_rows, query, key, value)
        else:
            sizes = [each.tokens.numel() for each in inputs]
            queries = [logit_row_count(each) for each in inputs] if of_logit_rows else sizes
            split = zip(inputs, query.split(queries), key.split(sizes), value.split(sizes), strict=True)
            mixed = torch.cat([_mix(each, index, of_logit_rows, *own) for each, *own in split])
        return finish(self, hidden if logit_rows is None else hidden[logit_rows], mixed)

    def project(
        self, hidden: Tensor, rotations: Rotations, logit_rows: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return rotated queries (of the logit rows) and keys, and values, each [rows, heads, head_size]."""
        normed = self.attention_norm(hidden)
        key = self.key(normed).view(-1, self.key_value_heads, self.head_size)
        key = rotate(self.key_norm(key) if self.has_norms else key, rotations)
        value = self.value(normed).view(-1, self.key_value_heads, self.head_size)
        if logit_rows is not None:
            normed, rotations = normed[logit_rows], (rotations[0][logit_rows], rotations[1][logit_rows])
        query = self.query(normed).view(-1, self.heads, self.head_size)
        return rotate(self.query_norm(query) if self.has_norms else query, rotations), key, value

    def finish(self, hidden: Tensor, mixed: Tensor) -> Tensor:
        """Return hidden [rows, hidden_size] plus attention's output and the MLP's; mixed: [rows, heads · head_size]."""
        hidden = hidden + self.attention_out(mixed)
        return hidden + self.mlp(hidden)

    def mlp(self, hidden: Tensor) -> Tensor:
        """Return the MLP's output [rows, hidden_size]."""
        normed = self.mlp_norm(hidden)
        output: Tensor = self.down(F.silu(self.gate(normed)) * self.up(normed))
        return output


def _by_node(rows: Tensor, nodes: int) -> Tensor:
    """Return [nodes, heads, positions, head_size] of rows [nodes · positions, heads, head_size]."""
    return rows.view(nodes, -1, *rows.shape[1:]).transpose(1, 2)


def _mix(
    forward_input: ForwardInput, index: int, of_logit_rows: bool, query: Tensor, key: Tensor, value: Tensor
) -> Tensor:
    """Return one input's attention [rows, heads · head_size], from its [rows, heads, head_size].

    of_logit_rows: whether the queries are those of the logit rows alone, as in the last layer.
    """
    nodes, written = len(forward_input.tokens), forward_input.written
    query, key, value = _by_node(query, nodes), _by_node(key, nodes), _by_node(value, nodes)
    if written is not None:
        if isinstance(written, SelectiveKVCache):
            written.observe(query)
        written.write(index, key, value)
    _, heads, queries, head_size = query.shape
    if not queries:
        return query.new_empty(0, heads * head_size)
    if forward_input.padding:
        key, value = key[:, :, : -forward_input.padding], value[:, :, : -forward_input.padding]
    visible = forward_input.visible
    if visible is not None and of_logit_rows and forward_input.logit_rows is not None:
        visible = visible[forward_input.logit_rows]
    if forward_input.context is None:
        mixed = attend(query, key, value, visible=visible)
    else:
        mixed = forward_input.context.attend(index, query, key, value, visible)
    return mixed.transpose(1, 2).reshape(-1, heads * head_size)


def _rows_of(forward_input: ForwardInput, split: Iterator[Tensor]) -> Tensor:
    """Return an input's hidden states [nodes, logit rows, hidden_size]; split: those of all windows in order."""
    nodes, before = len(forward_input.tokens), None if forward_input.stored is None else next(split)
    rows = next(split)
    rows = rows.unflatten(0, (nodes, len(rows) // nodes))
    return rows if before is None else torch.cat((before.expand(nodes, -1, -1), rows), dim=1)


def _embedding(vocabulary_size: int, hidden_size: int) -> nn.Embedding:
    """Return an embedding; on the meta device, where nothing can be drawn, without the draw of its weights.

    That draw lets torch import its compiler, which takes more than a second of processor time.
    """
    is_meta = torch.get_default_device().type == "meta"
    weight = torch.empty(vocabulary_size, hidden_size) if is_meta else None
    return nn.Embedding(vocabulary_size, hidden_size, _weight=weight)


class Transformer(nn.Module):
    """From tokens to hidden states; `predict` makes logits of them. One call is one forward (NFE)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = _embedding(config.vocabulary_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.hidden_size, config.norm_epsilon)
        self.head = nn.Linear(config.hidden_size, config.vocabulary_size, bias=False)
        if config.tied_head:
            self.head.weight = self.embedding.weight
        self.rotary = Rotary(config.head_size, config.rope_theta, config.rope_full_precision)

    def forward(self, inputs: Sequence[ForwardInput]) -> list[Tensor]:
        """Return hidden states [nodes, logit rows, hidden_size] of every input; each has its own window and context."""
        if inputs[0].replay is not None:
            return [each.replay() for each in inputs if each.replay is not None]
        windows = with_stored(inputs)
        stop = max(each.stop for each in windows)
        positions = torch.cat([each.each_position() for each in windows])
        rotations = self.rotary.rotations(positions, stop, self.embedding.weight.dtype)
        hidden = self.through(windows, rotations, logit_row_indices(windows))
        split = iter(hidden.split([logit_row_count(each) for each in windows]))
        return [_rows_of(each, split) for each in inputs]

    def through(
        self,
        inputs: Sequence[ForwardInput],
        rotations: Rotations,
        logit_rows: Tensor | None = None,
        steps: tuple[Project, Finish] | None = None,
    ) -> Tensor:
        """Return hidden states [rows, hidden_size] of all inputs' logit rows; only the last layer drops the others.

        rotations: of all rows; logit_rows: `logit_row_indices` of the inputs; steps: see `Layer.forward`.
        """
        hidden: Tensor = self.embedding(torch.cat([each.tokens.flatten() for each in inputs]))
        last = len(self.layers) - 1
        for index, layer in enumerate(self.layers):
            hidden = layer(hidden, rotations, inputs, index, logit_rows if index == last else None, steps)
        return hidden

    def predict(self, hidden: Tensor) -> Tensor:
        """Return logits [..., vocabulary] of hidden states [..., hidden_size]."""
        logits: Tensor = self.head(self.norm(hidden))
        return logits

    def logits(self, tokens: Tensor) -> Tensor:
        """Return logits [batch, length, vocabulary] of whole canvases, aligned to the predicted position."""
        outputs = self.predict(self([ForwardInput(tokens)])[0])
        if not self.config.logits_shift:
            return outputs
        return torch.cat((outputs[:, :1], outputs[:, :-1]), dim=1)
