"""Bidirectional attention over a window, beside a context of frozen keys and values."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ssd.modeling.fused_attention import attend_split, has_fused


class Rotary:
    """Rotary position tables (RoPE, arXiv 2104.09864), grown on demand and kept per device and dtype."""

    def __init__(self, head_size: int, theta: float, full_precision: bool) -> None:
        self.head_size = head_size
        self.theta = theta
        self.full_precision = full_precision
        self._tables: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = {}

    @torch.inference_mode(False)  # tables first made while decoding must serve training too
    def tables(self, stop: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Cosine and sine tables, each [at least `stop`, head_size], in the dtype the rotation is computed in.

        The sines of the first half of a head are negated: what turns into it is the second half, with a minus sign.
        """
        rotation_dtype = widest(dtype) if self.full_precision else dtype
        key = (device, rotation_dtype)
        if key not in self._tables or self._tables[key][0].shape[0] < stop:
            # Angles are float32 whatever the model's dtype, and rounded in this order, as in the published code.
            exponents = torch.arange(0, self.head_size, 2, dtype=torch.float32, device=device) / self.head_size
            length = 1 << (stop - 1).bit_length()
            frequencies = 1.0 / self.theta**exponents
            angles = torch.outer(torch.arange(length, dtype=torch.float32, device=device), frequencies)
            tables = (angles.cos().repeat(1, 2), torch.cat((-angles.sin(), angles.sin()), dim=-1))
            self._tables[key] = (tables[0].to(rotation_dtype), tables[1].to(rotation_dtype))
        return self._tables[key]

    def turns(self, positions: Tensor, stop: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Rows of the tables, each [rows, 1, head_size], for positions [rows] that lie before `stop`."""
        cosine, sine = self.tables(stop, positions.device, dtype)
        return cosine[positions][:, None], sine[positions][:, None]


def rotate(vectors: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Queries or keys [rows, heads, head_size], rotated by the `Rotary.turns` of their positions."""
    cosine, sine = turns
    wide = vectors.to(cosine.dtype)
    left, right = wide.chunk(2, dim=-1)
    turned = torch.cat((right, left), dim=-1)
    return (wide * cosine).add_(turned.mul_(sine)).to(vectors.dtype)


def widest(dtype: torch.dtype) -> torch.dtype:
    """float32, or float64 if the model itself runs in float64."""
    return torch.float64 if dtype == torch.float64 else torch.float32


Pair = tuple[Tensor, Tensor]
"""Keys and values."""


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    frozen: Pair | None = None,
    room: Pair | None = None,
    visible: Tensor | None = None,
) -> Tensor:
    """Attention of every node over its own window and the context that all nodes share.

    query: [nodes, heads, window, head_size]; key, value: [nodes, key_value_heads, window, head_size];
    frozen: the context's pair [key_value_heads, context, head_size], read in place and never copied per node;
    room: the same with room for the window's keys behind it, [key_value_heads, context + keys, head_size];
    visible: which positions of the window (columns) each of them (rows) sees, [window, window], all if None.
    Returns [nodes, heads, window, head_size]. A node sees the context and itself, never another node. Queries may be
    fewer than keys, or more.
    """
    if frozen is None:
        grouped = query.shape[1] != key.shape[1]
        return F.scaled_dot_product_attention(query, key, value, attn_mask=visible, enable_gqa=grouped)
    on_cpu = query.device.type == "cpu"
    if on_cpu and room is not None and visible is None:
        return attend_by_node(query, key, value, room)
    if on_cpu or (visible is None and has_fused(query, query.shape[-1])):
        return attend_split(query, key, value, *frozen, visible)
    return attend_joint(query, key, value, *frozen, visible)


def attend_by_node(query: Tensor, key: Tensor, value: Tensor, room: Pair) -> Tensor:
    """`attend` beside a context with room for a window behind it: node after node is written there and attends alone.

    room: keys and values [key_value_heads, context + window, head_size], of which the context's stay untouched.
    On a CPU as fast as `attend_split`, for one node 1.4 times as fast; and a node's result has the same bits however
    many others there are.
    """
    grouped, context = query.shape[1] != key.shape[1], room[0].shape[1] - key.shape[2]
    keys, values = (buffer[None] for buffer in room)
    mixed = []
    for node in range(len(query)):
        keys[0, :, context:] = key[node]
        values[0, :, context:] = value[node]
        mixed.append(F.scaled_dot_product_attention(query[node, None], keys, values, enable_gqa=grouped))
    return mixed[0] if len(mixed) == 1 else torch.cat(mixed)


def attend_joint(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    frozen_key: Tensor,
    frozen_value: Tensor,
    visible: Tensor | None = None,
    frozen_bias: Tensor | None = None,
) -> Tensor:
    """`attend` beside a context, as one softmax over the scores of both; frozen_bias as `attend_split` takes it."""
    nodes, heads, window, head_size = query.shape
    groups, context, own = key.shape[1], frozen_key.shape[1], key.shape[2]
    rows = heads // groups * window
    grouped = query.reshape(nodes, groups, rows, head_size)
    across = grouped.transpose(0, 1).reshape(groups, nodes * rows, head_size)
    to_context = wide_product(across, frozen_key.mT).view(groups, nodes, rows, context).transpose(0, 1)
    to_window = wide_product(grouped.flatten(0, 1), key.flatten(0, 1).mT).view(nodes, groups, rows, own)
    scores = torch.cat((to_context, to_window), dim=-1).mul_(head_size**-0.5)
    if frozen_bias is not None:
        scores[..., :context] += frozen_bias
    if visible is not None:
        scores.view(nodes, heads, window, -1)[..., context:].masked_fill_(~visible, -torch.inf)
    weights = scores.softmax(dim=-1).to(value.dtype)
    from_context = weights[..., :context].transpose(0, 1).reshape(groups, nodes * rows, context) @ frozen_value
    mixed = from_context.view(groups, nodes, rows, head_size).transpose(0, 1) + weights[..., context:] @ value
    return mixed.reshape(nodes, heads, window, head_size)


def wide_product(left: Tensor, right: Tensor) -> Tensor:
    """Batched product of [batch, n, k] and [batch, k, m] in float32 or wider.

    Scores rounded to 16 bits before the softmax would flip more near ties than a fused kernel does.
    """
    if left.dtype == widest(left.dtype):
        return left @ right
    if left.is_cuda:
        return torch.bmm(left, right, out_dtype=torch.float32)
    return left.float() @ right.float()
