"""Forwards on a pretended CUDA device: what they give, by which kernels, and that nothing of them lies elsewhere."""

import pytest
import torch

from ssd.measure.batching import ContinuousBatcher
from ssd.measure.cost.shapes import random_weights
from ssd.modeling import cuda_graphs as graph
from ssd.modeling.attention import attend
from ssd.modeling.batch_invariant import BatchInvariantModel
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.kv_cache import SlidingKVCache, Window
from ssd.modeling.static_shapes import StaticModel
from tests.effort import LONG
from tests.modeling.windows import MODES, block_window, random_canvas, random_states, refresh_window
from tests.models import FAMILIES, random_model, tiny_config
from tests.pretended.cuda import pretended_cuda
from tests.pretended.record import RECORD
from tests.pretended.tensors import on_device, on_host

TOLERANCES = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.1, torch.float16: 0.02}
CACHED = MODES[1:]
NODES = (1, 2, 8, 9, 16)

DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)


PLACE = torch.device("cuda", 1)
"""Where the model lies; the current device is another one, as in threads that nobody has told."""


@pytest.fixture
def record():
    with pretended_cuda() as record:
        yield record


def both(family, dtype):
    """A model on the host, and the same on the device; that it was brought there does not count."""
    host, device = (random_model(family, dtype=dtype) for _ in range(2))
    device = MaskedDiffusionModel(device.transformer.to(PLACE))
    RECORD.clear()
    return host, device


def assert_alike(found, expected, dtype):
    assert found.dtype == expected.dtype
    torch.testing.assert_close(on_host(found), expected, rtol=0, atol=TOLERANCES[dtype])


@DTYPES
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_window_forwards_give_what_a_cpu_gives(record, family, mode, dtype):
    host, device = both(family, dtype)
    window, canvas = block_window(host.config, mode), random_canvas(host.config)
    (refreshed, context), (expected, around) = (one.refresh(canvas, refresh_window(window)) for one in (device, host))
    assert_alike(refreshed, expected, dtype)
    if window.is_whole:
        context = around = None
    for nodes in NODES:
        states = random_states(host.config, canvas, window, nodes, seed=nodes)
        assert_alike(device.window(states, window, context), host.window(states, window, around), dtype)
    assert (record.reads, record.waiting) == ([], [])
    assert set(record.work) == {PLACE.index}


@pytest.mark.slow
@DTYPES
@pytest.mark.parametrize("lock", [False, True], ids=["native", "locked"])
@pytest.mark.parametrize("packed", [16, 0], ids=["packed", "in parts"])
@pytest.mark.parametrize("mode", CACHED[:2])
@pytest.mark.parametrize("family", FAMILIES)
def test_cuda_graphs_give_what_a_cpu_gives(record, family, mode, packed, lock, dtype):
    host, device = both(family, dtype)
    model = StaticModel(device, 16, graph.CudaGraphs(PLACE), packed_nodes=packed)
    model = BatchInvariantModel(model, 16) if lock else model
    for seed in range(2 if LONG else 1):
        window, canvas = block_window(host.config, mode), random_canvas(host.config, seed)
        (_, context), (_, around) = (one.refresh(canvas, refresh_window(window)) for one in (model, host))
        for nodes in (9, 1, 16, 9):
            states = random_states(host.config, canvas, window, nodes, seed=nodes)
            assert_alike(model.window(states, window, context), host.window(states, window, around), dtype)
    assert (record.reads, record.waiting, record.kernels["masks copied"]) == ([], [], 0)
    assert set(record.work) == {PLACE.index}


@DTYPES
def test_shadows_and_sliding_windows(record, dtype):
    host, device = both("llada", dtype)
    for mode in MODES[:3]:
        window, canvas = block_window(host.config, mode), random_canvas(host.config)
        contexts = [None if window.is_whole else one.refresh(canvas, window)[1] for one in (device, host)]
        state = canvas[window.start : window.stop]
        pairs = zip((device, host), contexts, strict=True)
        assert_alike(*(one.window_with_shadow(state, window, context) for one, context in pairs), dtype)
    sliding = [SlidingKVCache(len(canvas)) for _ in range(2)]
    for start, row, stop in ((0, 4, 12), (3, 6, 20), (9, 14, 24)):
        window, tokens = Window(start, stop, row, stop, stop), canvas[start:stop]
        slides = zip((device, host), sliding, strict=True)
        assert_alike(*(one.slide(tokens, window, context) for one, context in slides), dtype)
    assert (record.reads, record.waiting) == ([], [])


@DTYPES
@pytest.mark.parametrize("family", FAMILIES)
def test_windows_of_several_responses_share_a_forward(record, family, dtype):
    def job(model):
        _, context = model.refresh(canvas, refresh_window(window))
        return model.window(random_states(model.config, canvas, window, nodes=3), window, context)

    host, device = both(family, dtype)
    window, canvas = block_window(host.config, "dual"), random_canvas(host.config)
    shares = ContinuousBatcher(device).run([job, job], 2)
    expected = job(host)
    for share in shares:
        assert_alike(share.result, expected, dtype)


@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize(("heads", "groups", "size"), [(4, 4, 128), (4, 2, 32), (7, 1, 128), (3, 3, 20)])
@pytest.mark.parametrize("context", [0, 1, 37, 128])
def test_eager_attention_takes_the_kernel_that_there_is(record, dtype, heads, groups, size, context):
    """Zero positions of context: a canvas that is one block, or a window that begins with the prompt."""

    generator = torch.Generator().manual_seed(context)

    def drawn(*shape):
        return torch.randn(*shape, generator=generator).to(dtype)

    with torch.inference_mode():
        own = drawn(3, heads, 5, size), drawn(3, groups, 5, size), drawn(3, groups, 5, size)
        frozen = tuple(drawn(groups, context + 5, size)[:, :context] for _ in range(2))
        found = attend(*map(on_device, own), tuple(map(on_device, frozen)))
        expected = attend(*own, frozen)
    assert_alike(found, expected, dtype)
    kernel = "efficient" if dtype == torch.float32 else "flash"
    fits = size % 8 == 0 and dtype != torch.float64
    assert record.kernels == ({kernel: 2 if context else 1} if fits else {})


def test_without_flash_attention_there_is_one_softmax(record, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    host, device = both("dream", torch.float16)
    window, canvas = block_window(host.config, "dual"), random_canvas(host.config)
    states, contexts = random_states(host.config, canvas, window, 3), []
    for one in (device, host):
        contexts.append(one.refresh(canvas, refresh_window(window))[1])
    record.clear()
    found, expected = (one.window(states, window, each) for one, each in zip((device, host), contexts, strict=True))
    assert_alike(found, expected, torch.float16)
    assert not record.kernels


def test_random_weights_make_their_device_the_current_one(record):
    """Events are recorded there: those of another device would see none of a forward's time."""
    model = random_weights(tiny_config("llada"), torch.device("cuda:1"), torch.bfloat16)
    assert str(model.device) == "cuda:1"
    assert torch.cuda.current_device() == 1
