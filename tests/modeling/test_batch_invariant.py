from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ssd.measure.instrumentation import ForwardCounter
from ssd.modeling.batch_invariant import BatchInvariantModel
from ssd.modeling.config import Family
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.kv_cache import KVCache, Window
from tests.modeling.windows import MODES, block_window, random_canvas, random_states, refresh_window
from tests.models import FAMILIES, random_model
from tests.tiles import in_tiles

NODES = 5
COARSE = (torch.float32, torch.bfloat16)


def stage(model: MaskedDiffusionModel, mode: str, nodes: int = NODES) -> tuple[Tensor, Window, KVCache | None]:
    """States of a block, its window and its context under a cache mode."""
    canvas = random_canvas(model.config)
    window = block_window(model.config, mode)
    context = None if window.is_whole else model.refresh(canvas, refresh_window(window))[1]
    return random_states(model.config, canvas, window, nodes), window, context


def tiled(family: Family, dtype: torch.dtype) -> MaskedDiffusionModel:
    return in_tiles(random_model(family, dtype=dtype))


@pytest.mark.parametrize("dtype", COARSE, ids=str)
@pytest.mark.parametrize("make", [lambda family, dtype: random_model(family, dtype=dtype), tiled], ids=["own", "tiled"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_state_has_the_same_bits_alone_among_any_others_and_at_any_place(family, mode, make, dtype):
    model = BatchInvariantModel(make(family, dtype), NODES)
    states, window, context = stage(model, mode)
    together = model.window(states, window, context)
    for node in range(NODES):
        assert torch.equal(model.window(states[node : node + 1], window, context)[0], together[node])
        assert torch.equal(model.window(states[: node + 1], window, context), together[: node + 1])
        assert torch.equal(model.window(states.roll(node, 0), window, context), together.roll(node, 0))


@pytest.mark.parametrize("dtype", COARSE, ids=str)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_without_the_lock_such_kernels_change_bits(family, mode, dtype):
    model = tiled(family, dtype)
    states, window, context = stage(model, mode)
    assert not torch.equal(model.window(states[:1], window, context), model.window(states, window, context)[:1])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_locked_model_computes_what_the_model_computes(family, mode):
    model = random_model(family)
    states, window, context = stage(model, mode)
    expected = model.window(states, window, context)
    torch.testing.assert_close(BatchInvariantModel(model, NODES + 3).window(states, window, context), expected)


@pytest.mark.parametrize("dtype", COARSE, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_rows_bits_do_not_depend_on_how_many_rows_are_asked_for(family, dtype):
    model = BatchInvariantModel(tiled(family, dtype), NODES)
    states, window, context = stage(model, "prefix")
    fewer = replace(window, last_row=window.last_row - 1)
    expected = model.window(states, window, context)[:, : fewer.rows]
    assert torch.equal(model.window(states, fewer, context), expected)


def test_a_locked_forward_is_one_forward_of_one_shape():
    model = BatchInvariantModel(random_model("llada"), NODES)
    shapes = []
    model.transformer.head.register_forward_hook(lambda module, inputs, output: shapes.append(inputs[0].shape))
    states, window, context = stage(model, "dual")
    counter, shapes[:] = ForwardCounter(model.transformer), []
    for nodes in range(1, NODES + 1):
        assert model.window(states[:nodes], window, context).shape == (nodes, window.rows, 64)
    assert counter.forwards == NODES
    assert len(set(shapes)) == 1


def test_more_nodes_than_the_lock_holds_are_refused_by_number():
    model = BatchInvariantModel(random_model("llada"), 2)
    states, window, context = stage(model, "dual", nodes=3)
    with pytest.raises(ValueError, match=r"a forward over 3 nodes, but runtime\.numerics=locked allows 2"):
        model.window(states, window, context)


def test_a_lock_holds_at_least_one_node():
    with pytest.raises(ValueError, match="a batch-invariant model of 0 nodes: expected at least 1"):
        BatchInvariantModel(random_model("llada"), 0)
