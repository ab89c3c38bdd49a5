"""Rotary positions, and bidirectional attention over a window and a context of stored keys and values."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ssd.modeling.fused_attention import attend_split, has_fused


class Rotary:
    """Rotary position tables (RoPE, arXiv 2104.09864), one per device and dtype, extended on demand."""

    def __init__(self, head_size: int, theta: float, full_precision: bool) -> None:
        self.head_size = head_size
        self.theta = theta
        self.full_precision = full_precision
        self._tables: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = {}

    @torch.inference_mode(False)  # training must be able to use tables that decoding has made
    def tables(self, stop: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return cosine and sine tables, each [at least `stop`, head_size], in the dtype of the rotation.

        The sines of a head's first half are negated, because the rotation subtracts the second half from it.
        """
        rotation_dtype = widest(dtype) if self.full_precision else dtype
        key = (device, rotation_dtype)
        if key not in self._tables or self._tables[key][0].shape[0] < stop:
            # The published code computes angles in float32 for every dtype, and rounds in this order.
            exponents = torch.arange(0, self.head_size, 2, dtype=torch.float32, device=device) / self.head_size
            length = 1 << (stop - 1).bit_length()
            frequencies = 1.0 / self.theta**exponents
            angles = torch.outer(torch.arange(length, dtype=torch.float32, device=device), frequencies)
            tables = (angles.cos().repeat(1, 2), torch.cat((-angles.sin(), angles.sin()), dim=-1))
            self._tables[key] = (tables[0].to(rotation_dtype), tables[1].to(rotation_dtype))
        return self._tables[key]

    def rotations(self, positions: Tensor, stop: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Return rows of the tables, each [rows, 1, head_size], for positions [rows] below `stop`."""
        cosine, sine = self.tables(stop, positions.device, dtype)
        return cosine[positions][:, None], sine[positions][:, None]


def rotate(vectors: Tensor, rotations: tuple[Tensor, Tensor]) -> Tensor:
    """Return queries or keys [rows, heads, head_size], rotated by the `Rotary.rotations` of their positions."""
    cosine, sine = rotations
    wide = vectors.to(cosine.dtype)
    swapped = wide.roll(wide.shape[-1] // 2, dims=-1)
    return (wide * cosine).add_(swapped.mul_(sine)).to(vectors.dtype)


def widest(dtype: torch.dtype) -> torch.dtype:
    """Return float64 for float64, otherwise float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


Pair = tuple[Tensor, Tensor]
"""Keys and values."""


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    stored: Pair | None = None,
    buffer: Pair | None = None,
    visible: Tensor | None = None,
) -> Tensor:
    """Return attention [nodes, heads, window, head_size] of every node over its own window and the shared context.

    query: [nodes, heads, window, head_size]; key, value: [nodes, key_value_heads, window, head_size].
    stored: the context's pair [key_value_heads, context, head_size], read in place and never copied per node.
    buffer: the same with space for the window's keys behind it, [key_value_heads, context + keys, head_size].
    visible: bool [window, window], the positions (columns) that each position (row) attends to; None: all.
    A node attends to the context and to itself, never to another node. The number of queries may differ from the keys'.
    """
    if stored is None:
        grouped = query.shape[1] != key.shape[1]
        return F.scaled_dot_product_attention(query, key, value, attn_mask=visible, enable_gqa=grouped)
    on_cpu = query.device.type == "cpu"
    if on_cpu and buffer is not None and visible is None:
        return attend_by_node(query, key, value, buffer)
    if on_cpu or (visible is None and has_fused(query, query.shape[-1])):
        return attend_split(query, key, value, *stored, visible)
    return attend_joint(query, key, value, *stored, visible)


def attend_by_node(query: Tensor, key: Tensor, value: Tensor, buffer: Pair) -> Tensor:
    """Return `attend` with a context, computed node after node: each writes its keys behind the context.

    buffer: keys and values [key_value_heads, context + window, head_size]; the context's part stays unchanged.
    On a CPU it is as fast as `attend_split`, and 1.4 times as fast for one node. A node's bits do not depend on the
    number of nodes.
    """
    keys, values = buffer[0][None], buffer[1][None]
    context, grouped = keys.shape[2] - key.shape[2], query.shape[1] != key.shape[1]
    own_keys, own_values = keys[:, :, context:], values[:, :, context:]
    mixed = []
    for node in range(query.shape[0]):
        own_keys.copy_(key[node])
        own_values.copy_(value[node])
        own_query = query[node : node + 1]
        mixed.append(F.scaled_dot_product_attention(own_query, keys, values, enable_gqa=grouped).transpose(1, 2))
    # A CPU's kernel returns rows position by position: joined in this order, they are copied once.
    return (mixed[0] if len(mixed) == 1 else torch.cat(mixed)).transpose(1, 2)


def attend_joint(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    stored_key: Tensor,
    stored_value: Tensor,
    visible: Tensor | None = None,
    stored_bias: Tensor | None = None,
) -> Tensor:
    """Return `attend` with a context, as one softmax over all scores; stored_bias: see `attend_split`."""
    nodes, heads, window, head_size = query.shape
    groups, context, own = key.shape[1], stored_key.shape[1], key.shape[2]
    rows = heads // groups * window
    grouped = query.reshape(nodes, groups, rows, head_size)
    across = grouped.transpose(0, 1).reshape(groups, nodes * rows, head_size)
    to_context = wide_product(across, stored_key.mT).view(groups, nodes, rows, context).transpose(0, 1)
    to_window = wide_product(grouped.flatten(0, 1), key.flatten(0, 1).mT).view(nodes, groups, rows, own)
    scores = torch.cat((to_context, to_window), dim=-1).mul_(head_size**-0.5)
    if stored_bias is not None:
        scores[..., :context] += stored_bias
    if visible is not None:
        scores.view(nodes, heads, window, -1)[..., context:].masked_fill_(~visible, -torch.inf)
    weights = scores.softmax(dim=-1).to(value.dtype)
    from_context = weights[..., :context].transpose(0, 1).reshape(groups, nodes * rows, context) @ stored_value
    mixed = from_context.view(groups, nodes, rows, head_size).transpose(0, 1) + weights[..., context:] @ value
    return mixed.reshape(nodes, heads, window, head_size)


def wide_product(left: Tensor, right: Tensor) -> Tensor:
    """Return the batched product of [batch, n, k] and [batch, k, m] in float32 or wider.

    16-bit scores before the softmax would decide more near ties differently than a fused kernel does.
    """
    if left.dtype == widest(left.dtype):
        return left @ right
    if left.is_cuda:
        return torch.bmm(left, right, out_dtype=torch.float32)
    return left.float() @ right.float()
