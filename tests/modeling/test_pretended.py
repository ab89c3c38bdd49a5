"""The pretended device is as strict as a real one: its kernels beside torch's own words, its tensors beside others."""

import pytest
import torch

from ssd.modeling.fused_attention import lowest_bias
from tests.pretended.cuda import Event, pretended_cuda
from tests.pretended.tensors import on_device

aten = torch.ops.aten
CUDA = torch.device("cuda", 0)


@pytest.fixture
def record():
    with pretended_cuda() as record:
        yield record


def like_meta(function, *tensors, **options):
    """The pretended kernel's results and, for their shapes and places in memory, those of torch's meta kernel."""
    there = function(*(tensor if tensor is None else on_device(tensor) for tensor in tensors), **options)
    return there, function(*(tensor if tensor is None else tensor.to("meta") for tensor in tensors), **options)


@pytest.mark.parametrize("rows", [2, 32, 45])
@pytest.mark.parametrize("size", [32, 128])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_kernels_give_what_torch_says_they_give(record, dtype, size, rows):
    # As queries come: node after node with their heads inside, or the other way round.
    query = torch.randn(2, rows, 4, size).to(dtype).transpose(1, 2)
    key, value = torch.randn(2, 2, 4, 37, size).to(dtype)
    bias = lowest_bias(rows, 37, like=query).expand(2, 4, rows, 37)
    efficient, flash = aten._scaled_dot_product_efficient_attention, aten._scaled_dot_product_flash_attention
    pairs = [like_meta(efficient, query, key, value, each, compute_log_sumexp=True) for each in (None, bias)]
    if dtype != torch.float32:
        pairs.append(like_meta(flash, query, key, value))
    for there, meta in pairs:
        for found, expected in zip(there[:2], meta[:2], strict=True):
            assert (found.shape, found.dtype, found.stride()) == (expected.shape, expected.dtype, expected.stride())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("_scaled_dot_product_flash_attention", ["query", "key", "value", "dropout_p", "is_causal"]),
        ("_scaled_dot_product_efficient_attention", ["query", "key", "value", "attn_bias", "compute_log_sumexp"]),
        ("_scaled_dot_product_flash_attention_for_cpu", ["query", "key", "value", "dropout_p", "is_causal"]),
    ],
)
def test_kernels_take_their_arguments_in_this_order(name, arguments):
    schema = getattr(aten, name).default._schema
    assert [argument.name for argument in schema.arguments][:5] == arguments
    assert schema.returns[1].name in ("logsumexp", "log_sumexp")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda on, off: on + off, "on the host"),
        (lambda on, off: torch.cat((on, off)), "on the host"),
        (lambda on, off: on + on_device(off, "cuda:1"), "several devices"),
        (lambda on, off: on.to("cuda:1"), "moved from"),
        (lambda on, off: on.to("cpu", non_blocking=True), "nobody waits"),
        (lambda on, off: aten._scaled_dot_product_flash_attention(*[on.view(1, 1, 1, 8)] * 3), "only support"),
        (lambda on, off: aten._scaled_dot_product_flash_attention(*[on.view(1, 1, 2, 4).half()] * 3), "aligned"),
        (
            lambda on, off: aten._scaled_dot_product_efficient_attention(
                *[on.view(1, 1, 1, 8)] * 3, on[:1].view(1, 1, 1, 1).double(), True
            ),
            "invalid dtype for bias",
        ),
    ],
)
def test_what_a_device_refuses(record, call, message):
    with torch.inference_mode(), pytest.raises(RuntimeError, match=message):
        call(torch.ones(8, device=CUDA), torch.ones(8))


def test_whenever_the_host_waits_it_is_noted(record):
    with torch.inference_mode():
        there = torch.arange(4).to(CUDA, non_blocking=True)
        assert (record.reads, record.waiting, record.copies) == ([], [], 1)
        torch.arange(4).to(CUDA)
        torch.tensor([3], device=CUDA)
        there[torch.tensor([1, 2])]
        assert len(record.waiting) == 3
        for read in (lambda value: value.tolist(), lambda value: value.cpu(), int):
            read(there[1])
        torch.nonzero(there)
        there[there > 1]
        assert len(record.reads) == 5


def test_events_tell_the_time_of_the_current_device(record):
    begun, ended = Event(enable_timing=True), Event(enable_timing=True)
    begun.record()
    torch.ones(2, device="cuda:1") + 1
    ended.record()
    assert begun.elapsed_time(ended) == 0
    torch.ones(2, device="cuda:0") + 1
    ended.record()
    assert begun.elapsed_time(ended) == 2
