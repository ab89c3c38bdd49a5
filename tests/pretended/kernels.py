"""What CUDA's kernels of attention and products take and give, computed on the CPU."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Kernel = Callable[..., Any]
SIXTEEN_BITS = (torch.bfloat16, torch.float16)
SUM_PADDING, ALIGNED, LARGEST_HEAD = 32, 8, 256


def flash(used: Counter[str], function: Any, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
    """`_flash_attention_forward`: 16 bits, heads of multiples of 8 up to 256, contiguous rows; no bias."""
    used["flash"] += 1
    _check_shapes(query, key, value)
    require(query.dtype in SIXTEEN_BITS, f"FlashAttention only support fp16 and bf16 data type, not {query.dtype}")
    require(query.shape[-1] <= LARGEST_HEAD, "FlashAttention forward only supports head dimension at most 256")
    mixed, log_sums = _softmax(query, key, value, None)
    placed = torch.empty_like(query).copy_(mixed)
    return placed, log_sums, None, None, query.shape[2], key.shape[2], torch.empty(2), torch.empty(0), torch.empty(0)


def efficient(
    used: Counter[str],
    function: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None,
    compute_log_sumexp: bool,
) -> tuple[Tensor, ...]:
    """`_efficient_attention_forward`: no float64; an expanded, aligned bias; log-sum-exps padded to multiples of 32."""
    used["efficient"] += 1
    _check_shapes(query, key, value)
    require(query.dtype in (*SIXTEEN_BITS, torch.float32), f"no kernel for {query.dtype}")
    if bias is not None:
        require(bias.dtype == query.dtype, "invalid dtype for bias - should match query's dtype")
        require(bias.shape == (*query.shape[:3], key.shape[2]), f"attn_bias: wrong shape {list(bias.shape)}")
        require(aligned(bias), f"attn_bias is not correctly aligned: strides {bias.stride()}")
    mixed, sums = _softmax(query, key, value, bias)
    require(compute_log_sumexp, "asked for no log-sum-exps")
    padded = sums.new_full((*sums.shape[:2], sums.shape[2] + -sums.shape[2] % SUM_PADDING), torch.nan)
    padded[..., : sums.shape[2]] = sums
    return _rows_first(mixed), padded, torch.empty(()), torch.empty(())


def chosen(
    used: Counter[str],
    function: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """`scaled_dot_product_attention`, which takes flash, else efficient, else products and a softmax."""
    shared = query.shape[1] != key.shape[1]
    require(enable_gqa or not shared, "query heads share key heads: pass enable_gqa")
    if mask is not None:
        require(mask.dtype in (torch.bool, query.dtype), f"a mask in {mask.dtype} for queries in {query.dtype}")
    mixed = function(query, key, value, mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
    if mask is None and query.dtype in SIXTEEN_BITS and query.shape[-1] <= LARGEST_HEAD:
        used["flash"] += 1
        return torch.empty_like(query).copy_(mixed)
    if shared or query.dtype == torch.float64 or query.shape[-1] % ALIGNED:
        used["products"] += 1
        return mixed.contiguous()
    used["efficient"] += 1
    if mask is not None and not (mask.dtype == query.dtype and aligned(mask)):
        used["masks copied"] += 1
    return _rows_first(mixed)


def wide_product(used: Counter[str], function: Any, left: Tensor, right: Tensor, dtype: torch.dtype) -> Tensor:
    """`bmm` with a dtype of its own for what it gives."""
    require(left.dtype == right.dtype, f"products of {left.dtype} and {right.dtype}")
    require(left.dtype in SIXTEEN_BITS and dtype == torch.float32, f"no product of {left.dtype} in {dtype}")
    return left.to(dtype) @ right.to(dtype)


def plain(used: Counter[str], function: Any, *args: Any, **kwargs: Any) -> Any:
    """Any other operation, which the CPU does alike."""
    require("flash_attention_for_cpu" not in str(function), f"{function} of tensors on a CUDA device")
    return function(*args, **kwargs)


KERNELS: dict[str, Kernel] = {
    "aten::_scaled_dot_product_flash_attention": flash,
    "aten::_scaled_dot_product_efficient_attention": efficient,
    "aten::scaled_dot_product_attention": chosen,
}
"""By the operation's name."""


def kernel_of(function: Any) -> Kernel:
    """What computes an operation."""
    return wide_product if function is torch.ops.aten.bmm.dtype else KERNELS.get(function._schema.name, plain)


def require(holds: bool, message: str) -> None:
    """Raise RuntimeError, as a kernel does."""
    if not holds:
        raise RuntimeError(message)


def aligned(bias: Tensor) -> bool:
    """Whether a kernel reads a bias where it lies."""
    return bias.stride(-1) == 1 and not any(stride % ALIGNED for stride in bias.stride()[:-1])


def _check_shapes(query: Tensor, key: Tensor, value: Tensor) -> None:
    for tensor in (query, key, value):
        require(tensor.dim() == 4 and tensor.dtype == query.dtype, "expected 4 dimensions and one dtype")
        require(tensor.stride(-1) == 1, "Input tensor must have contiguous last dimension")
        require(not any(stride % ALIGNED for stride in tensor.stride()[:-1]), "query, key or value is not aligned")
    require(key.shape == value.shape and key.shape[2] > 0, f"keys {list(key.shape)}, values {list(value.shape)}")
    require(query.shape[:2] == key.shape[:2], "one query head for each key head")
    require(query.shape[-1] % ALIGNED == 0, "Expected query head size to be a multiple of 8")


def _softmax(query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mixed values in the queries' dtype and natural log-sum-exps in float32 [batch, heads, rows]."""
    scores = query.float() @ key.float().mT * query.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + bias.float()
    weights = scores.softmax(dim=-1).to(query.dtype)
    return weights @ value, scores.logsumexp(dim=-1)


def _rows_first(mixed: Tensor) -> Tensor:
    """The same values [batch, heads, rows, head_size], in memory row after row with all heads."""
    return mixed.transpose(1, 2).contiguous().transpose(1, 2)
