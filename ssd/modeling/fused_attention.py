"""Fused attention that also tells its log-sum-exps, and the merging of attentions over different keys by them."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

ALIGNED = 8
"""Head sizes, and the strides of a bias, that CUDA's fused kernels take are multiples of this."""

FLASH = (8, 0)
"""The least compute capability with flash attention, Ampere's."""

aten = torch.ops.aten


def has_fused(like: Tensor, head_size: int) -> bool:
    """Whether `fused` takes such queries: on a CPU always; on CUDA no float64, nor heads of odd sizes."""
    if like.device.type == "cpu":
        return True
    if like.dtype == torch.float64 or head_size % ALIGNED:
        return False
    return like.dtype == torch.float32 or has_flash(like.device)


@cache
def has_flash(device: torch.device) -> bool:
    """Whether a device runs flash attention, which `fused` asks for in 16 bits; CUDA does from Ampere on."""
    return device.type != "cuda" or torch.cuda.get_device_capability(device) >= FLASH


def fused(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Attention of queries [batch, heads, rows, head_size] over keys, values [batch, heads, keys, head_size].

    bias: added to the scores, of a shape that broadcasts to [batch, heads, rows, keys], in the queries' dtype; on CUDA
    with strides as `lowest_bias` makes them. Returns the mixed values and natural log-sum-exps [batch, heads, rows].
    """
    if query.device.type == "cpu":
        return aten._scaled_dot_product_flash_attention_for_cpu(query, key, value, attn_mask=bias)
    if bias is None and query.dtype in (torch.bfloat16, torch.float16):
        mixed, log_sums, *_ = aten._scaled_dot_product_flash_attention(query, key, value)
        return mixed, log_sums
    if bias is not None:
        bias = bias.expand(*query.shape[:3], key.shape[2])
    mixed, log_sums, *_ = aten._scaled_dot_product_efficient_attention(query, key, value, bias, True)
    return mixed, log_sums[..., : query.shape[2]]  # which that kernel pads


def lowest(dtype: torch.dtype) -> float:
    """Added to a score it leaves a weight of exactly 0, and no key at all still gives a softmax of numbers."""
    return torch.finfo(dtype).min / 4


def lowest_bias(rows: int, keys: int, like: Tensor) -> Tensor:
    """A bias [rows, keys] that hides every key, in the dtype and on the device of `like`, strides as CUDA needs them.

    A kernel would otherwise copy it in every forward.
    """
    return like.new_full((rows, keys + -keys % ALIGNED), lowest(like.dtype))[:, :keys]


def merge(mixed: Tensor, log_sums: Tensor, others: Tensor, other_log_sums: Tensor) -> Tensor:
    """The attention over both sets of keys [..., rows, head_size], from those over each and their log-sum-exps.

    Section 2.2 of arXiv 2501.01005. In the log-sum-exps' dtype, float32 or wider; `mixed` has the wanted one.
    """
    share = (other_log_sums - log_sums).sigmoid()[..., None]
    return mixed.to(share.dtype).lerp(others.to(share.dtype), share).to(mixed.dtype)


def attend_split(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    frozen_key: Tensor,
    frozen_value: Tensor,
    visible: Tensor | None = None,
    frozen_bias: Tensor | None = None,
) -> Tensor:
    """`attend` beside a context, as two fused attentions merged by their log-sum-exps.

    All nodes' queries are one long sequence over the context, and a batch over their own rows; query heads that share a
    key head are rows of it. frozen_bias: [1, context], added to the scores of the context.
    On a CPU 1.2 to 20 times as fast as `attend_joint`: most so in 16 bits, and where scores outgrow the cache.
    """
    nodes, heads, window, head_size = query.shape
    groups = key.shape[1]
    grouped = query.reshape(nodes, groups, -1, head_size)
    rows = grouped.shape[2]
    mask = None
    if visible is not None:
        mask = torch.zeros_like(visible, dtype=query.dtype).masked_fill_(~visible, lowest(query.dtype))
        mask = mask.repeat(heads // groups, 1)
    of_window, window_sum = fused(grouped, key, value, mask)
    if frozen_key.shape[1]:
        across = grouped.transpose(0, 1).reshape(1, groups, nodes * rows, head_size)
        of_context, context_sum = (
            part[0].unflatten(1, (nodes, rows)).transpose(0, 1)
            for part in fused(across, frozen_key[None], frozen_value[None], frozen_bias)
        )
        of_window = merge(of_window, window_sum, of_context, context_sum)
    return of_window.reshape(nodes, heads, window, head_size)
