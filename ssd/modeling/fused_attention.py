"""Fused attention that also returns its log-sum-exps, and the merging of attentions over different keys."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

ALIGNED = 8
"""CUDA's fused kernels need head sizes and strides of a bias that are multiples of this."""

FLASH = (8, 0)
"""The lowest compute capability with flash attention (Ampere)."""

aten = torch.ops.aten


def has_fused(like: Tensor, head_size: int) -> bool:
    """Whether `fused` accepts queries like these: all on a CPU; on CUDA neither float64 nor unaligned head sizes."""
    if like.device.type == "cpu":
        return True
    if like.dtype == torch.float64 or head_size % ALIGNED:
        return False
    return like.dtype == torch.float32 or has_flash(like.device)


@cache
def has_flash(device: torch.device) -> bool:
    """Whether a device runs flash attention, which `fused` uses in 16 bits; on CUDA from Ampere on."""
    return device.type != "cuda" or torch.cuda.get_device_capability(device) >= FLASH


def fused(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return attention [batch, heads, rows, head_size] and its natural log-sum-exps [batch, heads, rows].

    query: [batch, heads, rows, head_size]; key, value: [batch, heads, keys, head_size].
    bias: added to the scores, broadcastable to [batch, heads, rows, keys], in the queries' dtype; on CUDA with the
    strides of `lowest_bias`.
    """
    mixed: Tensor
    log_sums: Tensor
    if query.device.type == "cpu":
        mixed, log_sums = aten._scaled_dot_product_flash_attention_for_cpu(query, key, value, attn_mask=bias)
        return mixed, log_sums
    if bias is None and query.dtype in (torch.bfloat16, torch.float16):
        mixed, log_sums, *_ = aten._scaled_dot_product_flash_attention(query, key, value)
        return mixed, log_sums
    if bias is not None:
        bias = bias.expand(*query.shape[:3], key.shape[2])
    mixed, log_sums, *_ = aten._scaled_dot_product_efficient_attention(query, key, value, bias, True)
    return mixed, log_sums[..., : query.shape[2]]  # the kernel pads them


def lowest(dtype: torch.dtype) -> float:
    """Return a bias that makes a weight exactly 0. Unlike -inf it gives no NaN when every key is hidden."""
    return torch.finfo(dtype).min / 4


def lowest_bias(rows: int, keys: int, like: Tensor) -> Tensor:
    """Return a bias [rows, keys] that hides every key, in the dtype and on the device of `like`.

    Its strides are aligned: CUDA's kernels would otherwise copy it in every forward.
    """
    return like.new_full((rows, keys + -keys % ALIGNED), lowest(like.dtype))[:, :keys]


def merge(mixed: Tensor, log_sums: Tensor, others: Tensor, other_log_sums: Tensor) -> Tensor:
    """Return the attention over two sets of keys [..., rows, head_size], from those over each (arXiv 2501.01005, 2.2).

    mixed, others: [..., rows, head_size]; the log-sum-exps: [..., rows]. Computed in the log-sum-exps' dtype, returned
    in that of `mixed`.
    """
    share = (other_log_sums - log_sums).sigmoid()[..., None]
    return mixed.to(share.dtype).lerp(others.to(share.dtype), share).to(mixed.dtype)


def attend_split(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    stored_key: Tensor,
    stored_value: Tensor,
    visible: Tensor | None = None,
    stored_bias: Tensor | None = None,
) -> Tensor:
    """Return `attend` with a context, as two fused attentions merged by their log-sum-exps.

    Over the context all nodes' queries are one long sequence; over their own rows they are a batch. Query heads that
    share a key head are rows of it. stored_bias: [1, context], added to the scores of the context.
    On a CPU it is 1.2 to 20 times as fast as `attend_joint`, most of all in 16 bits and with many scores.
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
    if stored_key.shape[1]:
        across = grouped.transpose(0, 1).reshape(1, groups, nodes * rows, head_size)
        of_context, context_sum = (
            part[0].unflatten(1, (nodes, rows)).transpose(0, 1)
            for part in fused(across, stored_key[None], stored_value[None], stored_bias)
        )
        of_window = merge(of_window, window_sum, of_context, context_sum)
    return of_window.reshape(nodes, heads, window, head_size)
