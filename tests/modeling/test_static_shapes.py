"""Static window forwards: what is padded changes nothing, and what is captured holds nothing of the first call."""

from dataclasses import replace

import pytest
import torch

from ssd.measure.instrumentation import ForwardCounter
from ssd.modeling import static_attention as layouts
from ssd.modeling.batch_invariant import BatchInvariantModel
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.kv_buffers import KVBuffers
from ssd.modeling.kv_cache import Window
from ssd.modeling.static_shapes import STEP, StaticModel, capacity_for
from tests.modeling.recorded import RecordedGraphs
from tests.modeling.windows import LENGTH, MODES, block_window, random_canvas, random_states, refresh_window
from tests.models import FAMILIES, random_model
from tests.tiles import in_tiles

NODES = 9
CACHED = MODES[1:]
TOLERANCES = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.1}


LAYOUTS = pytest.mark.parametrize("packed", [NODES, 0], ids=["packed", "in parts"])


def static(
    model: MaskedDiffusionModel, packed: int = NODES, most_nodes: int = NODES
) -> tuple[StaticModel, RecordedGraphs]:
    graphs = RecordedGraphs()
    return StaticModel(model, most_nodes, graphs, packed_nodes=packed), graphs


@LAYOUTS
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("mode", CACHED)
@pytest.mark.parametrize("family", FAMILIES)
def test_replays_give_what_eager_forwards_give(family, mode, dtype, packed):
    eager = random_model(family, dtype=dtype)
    model, graphs = static(eager, packed)
    window = block_window(model.config, mode)
    for seed, nodes in enumerate((1, 3, 9, 2, 5, 4, 1)):
        canvas = random_canvas(model.config, seed)
        refreshed, context = model.refresh(canvas, refresh_window(window))
        expected, expected_context = eager.refresh(canvas, refresh_window(window))
        assert torch.equal(refreshed, expected)
        states = random_states(model.config, canvas, window, nodes, seed)
        replayed, expected = model.window(states, window, context), eager.window(states, window, expected_context)
        assert replayed.shape == expected.shape
        assert (replayed - expected).abs().max() < TOLERANCES[dtype]
    assert [shape.nodes for shape in model.shapes] == [1, 4, 9, 2, 8]
    assert (graphs.captures, graphs.replays) == (5, 7)


@LAYOUTS
@pytest.mark.parametrize("family", FAMILIES)
def test_one_capture_serves_windows_anywhere_and_contexts_of_any_length_up_to_its_capacity(family, packed):
    eager = random_model(family)
    model, graphs = static(eager, packed)
    for length, start in ((120, 90), (21, 1), (60, 44), (128, 3), (22, 17)):
        window = Window(start, start + 5, start + 1, start + 5, length)
        canvas = random_canvas(model.config, seed=length, length=length)
        states = random_states(model.config, canvas, window, nodes=3)
        _, context = model.refresh(canvas, window)
        _, expected = eager.refresh(canvas, window)
        assert (model.window(states, window, context) - eager.window(states, window, expected)).abs().max() < 1e-12
    assert graphs.captures == 1


@LAYOUTS
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_lies_in_the_padding_changes_no_bit(family, dtype, packed):
    model, _ = static(random_model(family, dtype=dtype), packed)
    window, canvas = block_window(model.config, "dual ranked"), random_canvas(model.config)
    states = random_states(model.config, canvas, window, nodes=5)
    _, context = model.refresh(canvas, window)
    before = model.window(states, window, context)
    others = random_states(model.config, canvas, window, nodes=8, seed=7)
    with torch.inference_mode():
        for pair in model._kv_buffers.buffers:
            for buffer in pair:
                buffer[:, context.size :] = torch.randn(buffer[:, context.size :].shape) * 100
        model.window(others, window, context)  # which the last three nodes then still hold
    assert torch.equal(model.window(states, window, context), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("mode", CACHED)
@pytest.mark.parametrize("family", FAMILIES)
def test_under_a_lock_a_states_bits_do_not_depend_on_the_others(family, mode, dtype):
    model = BatchInvariantModel(static(in_tiles(random_model(family, dtype=dtype)), 0, 5)[0], 5)
    window, canvas = block_window(model.config, mode), random_canvas(model.config)
    states = random_states(model.config, canvas, window, nodes=5)
    _, context = model.refresh(canvas, refresh_window(window))
    together = model.window(states, window, context)
    for node in range(5):
        assert torch.equal(model.window(states[node : node + 1], window, context)[0], together[node])
        assert torch.equal(model.window(states.roll(node, 0), window, context), together.roll(node, 0))
    assert len(model.inner.shapes) == 1


def test_a_replay_is_one_forward():
    model, graphs = static(random_model("llada"))
    counter, window, canvas = ForwardCounter(model.transformer), block_window(model.config, "dual"), None
    canvas = random_canvas(model.config)
    _, context = model.refresh(canvas, window)
    for forwards in (2, 3, 4):
        model.window(random_states(model.config, canvas, window, nodes=3), window, context)
        assert counter.forwards == forwards
    assert graphs.replays == 3


def test_whole_canvases_and_shadows_stay_eager():
    eager = random_model("llada")
    model, graphs = static(eager)
    canvas, window = random_canvas(model.config), block_window(model.config, "none")
    states = random_states(model.config, canvas, window, nodes=3)
    assert torch.equal(model.window(states, window), eager.window(states, window))
    _, context = model.refresh(canvas, window)
    assert torch.equal(model.window(states, window, context), eager.window(states, window, context))
    window = block_window(model.config, "dual")
    (_, context), (_, expected) = model.refresh(canvas, window), eager.refresh(canvas, window)
    shadowed = [
        one.window_with_shadow(canvas[10:14], window, around) for one, around in ((model, context), (eager, expected))
    ]
    assert torch.equal(*shadowed)
    assert graphs.captures == 0


def test_longer_canvases_get_larger_rooms_and_new_captures():
    eager = random_model("llada", context_length=4 * STEP)
    model, _ = static(eager)
    for length in (20, 3 * STEP, 20):
        window, canvas = Window(4, 9, 4, 9, length), random_canvas(model.config, length=length)
        states = random_states(model.config, canvas, window, nodes=2)
        (_, context), (_, expected) = model.refresh(canvas, window), eager.refresh(canvas, window)
        assert (model.window(states, window, context) - eager.window(states, window, expected)).abs().max() < 1e-12
    assert {shape.capacity for shape in model.shapes} == {STEP, 3 * STEP}
    assert [capacity_for(size) for size in (0, 1, STEP, STEP + 1)] == [0, STEP, STEP, 2 * STEP]


def test_old_rooms_are_let_go_of_before_larger_ones_are_asked_for(monkeypatch):
    model, _ = static(random_model("llada", context_length=4 * STEP))
    held, grow = [], KVBuffers.grow
    monkeypatch.setattr(KVBuffers, "grow", lambda rooms, *how: held.append(model.shapes) or grow(rooms, *how))
    for length in (20, 3 * STEP):
        window, canvas = Window(4, 9, 4, 9, length), random_canvas(model.config, length=length)
        _, context = model.refresh(canvas, window)
        model.window(random_states(model.config, canvas, window, nodes=2), window, context)
    assert held == [[], []]


@LAYOUTS
def test_an_overflow_harms_no_later_prompt(packed):
    model, _ = static(random_model("llada", dtype=torch.float32), packed)
    window, canvas = Window(4, 9, 4, 9, 20), random_canvas(model.config, length=20)
    states = random_states(model.config, canvas, window, nodes=3)
    _, context = model.refresh(canvas, window)
    before = model.window(states, window, context)
    with torch.inference_mode():
        for keys, values in model._kv_buffers.buffers:  # as a prompt leaves them whose values are beyond the dtype
            keys.fill_(torch.nan)
            values.fill_(torch.inf)
    _, context = model.refresh(canvas, window)
    assert torch.equal(model.window(states, window, context), before)


@pytest.mark.parametrize("family", FAMILIES)
def test_without_fused_kernels_a_lock_holds_all_the_same(family, monkeypatch):
    """As in float64 on CUDA."""
    expected = static_logits(family, packed=NODES)
    monkeypatch.setattr(layouts, "has_fused", lambda like, head_size: False)
    together = static_logits(family, packed=0)
    assert (together - expected).abs().max() < 1e-12
    for by in range(1, 5):
        assert torch.equal(static_logits(family, packed=0, by=by), together.roll(by, 0))


def static_logits(family, packed, by=0):
    model, _ = static(in_tiles(random_model(family)), packed, 5)
    window, canvas = block_window(model.config, "dual"), random_canvas(model.config)
    _, context = model.refresh(canvas, refresh_window(window))
    return BatchInvariantModel(model, 5).window(
        random_states(model.config, canvas, window, 5).roll(by, 0), window, context
    )


def test_a_context_that_was_written_over_is_refused():
    model, _ = static(random_model("llada"))
    window, canvas = block_window(model.config, "dual"), random_canvas(model.config)
    states = random_states(model.config, canvas, window, nodes=1)
    _, old = model.refresh(canvas, window)
    model.refresh(canvas, replace(window, first_row=window.first_row + 1))
    with pytest.raises(RuntimeError, match=r"a later refresh has written over it; .* needs runtime\.engine=eager"):
        model.window(states, window, old)


def test_nodes_have_bounds():
    model, _ = static(random_model("llada"), most_nodes=2)
    window, canvas = block_window(model.config, "dual"), random_canvas(model.config, length=LENGTH)
    _, context = model.refresh(canvas, window)
    with pytest.raises(ValueError, match=r"a forward over 3 nodes, but static shapes allow 2, .*correct its"):
        model.window(random_states(model.config, canvas, window, nodes=3), window, context)
    with pytest.raises(ValueError, match="static shapes of 0 nodes: expected at least 1"):
        static(random_model("llada"), most_nodes=0)


@pytest.mark.parametrize(
    "ask", [lambda x: x.sum().item(), torch.nonzero, lambda x: x[x > 0].sum(), lambda x: torch.tensor(3)]
)
def test_the_double_refuses_what_a_capture_cannot_hold(ask):
    with pytest.raises(RuntimeError, match="cannot be captured"):
        RecordedGraphs()(lambda: ask(torch.ones(3)) * torch.ones(1))


def test_the_double_repeats_what_was_captured_and_not_what_the_host_has_come_to_know():
    static_input, known = torch.ones(2), [3]
    replay = RecordedGraphs()(lambda: static_input * known[0] + 1)
    static_input.fill_(5)
    known[0] = 100
    assert replay().tolist() == [16, 16]
