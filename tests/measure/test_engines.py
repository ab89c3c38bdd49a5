"""Engines: every decoder's response and trace are the eager ones, and all captures are made before the clock starts."""

import json
from dataclasses import replace
from functools import partial
from random import Random

import pytest
import torch

from baselines.stepwise import Stepwise
from ssd.config.plan import make_plan
from ssd.decoding.settings import GenerationSettings
from ssd.measure import engines
from ssd.measure.engines import capture_all, capture_s, with_engine
from ssd.measure.numerics import with_numerics
from ssd.modeling import cuda_graphs as graph
from ssd.modeling.kv_cache import Window
from ssd.modeling.static_shapes import StaticModel
from ssd.speculation.decoder import SelfSpeculative
from tests.conformance.candidates import LINES, SPECIAL, accepts, candidate, model_of
from tests.effort import LONG, by_turns, some
from tests.generations import drawn
from tests.modeling.recorded import RecordedGraphs
from tests.models import FAMILIES, random_model
from tests.restless import restless_model
from tests.runs import composed, only_folder

PROMPTS = ([7, 8, 9], list(range(20, 90)), [30])


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES)
def test_every_decoder_gives_what_it_gives_eagerly(line):
    """With a family and a cache that the decoder takes: all of them in a long run, else one by turns."""
    generator, cases, tried = Random(line), list(zip(FAMILIES, ("dual", "prefix"), PROMPTS, strict=False)), 0
    turn = len(line) % 2
    for family, cache, prompt in (*cases[turn:], *cases[:turn], ("llada", "none", PROMPTS[0])):
        if tried and not LONG:
            break
        decoder, eager = candidate(line, family).decoder, model_of(family)
        drawings = (replace(drawn(generator), cache=cache) for _ in range(100))
        settings = next((settings for settings in drawings if accepts(decoder, settings, family)), None)
        if settings is None:  # some do not take every cache or family
            continue
        tried += 1
        static = StaticModel(eager, decoder.most_nodes, RecordedGraphs())
        decoded, expected = (decoder.decode(model, prompt, settings, SPECIAL) for model in (static, eager))
        assert decoded.response_ids == expected.response_ids
        assert where(decoded.trace) == where(expected.trace)
    assert tried


def where(trace):
    """Everything but confidences, which may differ in the last bits."""
    return [
        (event.kind, event.nodes, event.accepted, [(pick.position, pick.token) for pick in event.picks])
        for event in trace.events
    ]


@pytest.mark.parametrize("cache", ["none", "prefix", "dual"])
@pytest.mark.parametrize("block_start", ["commit_first", "ranked"])
@pytest.mark.parametrize("numerics", ["native", "locked"])
def test_nothing_is_captured_once_decoding_has_begun(family, cache, block_start, numerics):
    settings = GenerationSettings(gen_length=12, block_length=4, cache=cache, block_start=block_start)
    decoder, graphs = SelfSpeculative(depth=5), RecordedGraphs()
    static = StaticModel(restless_model(family, vocabulary_size=512, mask_id=1), decoder.most_nodes, graphs)
    model = with_numerics(static, numerics, Stepwise(), decoder)
    capture_all(model, settings, SPECIAL, map(len, PROMPTS), decoder.most_nodes)
    before, rooms = graphs.captures, static._kv_buffers.buffers[0][0] if cache != "none" else None
    sizes = {"none": 0, "prefix": 3, "dual": 1}[cache]  # a window per block in prefix mode; one capacity holds all
    assert before == sizes * (1 if numerics == "locked" else 4)
    for prompt in PROMPTS:
        for decoding in (Stepwise(), decoder):
            decoding.decode(model, prompt, settings, SPECIAL)
    assert graphs.captures == before
    assert graphs.replays > 0 or cache == "none"
    assert cache == "none" or static._kv_buffers.buffers[0][0] is rooms
    assert capture_s(model) > 0 or cache == "none"


@pytest.mark.slow
def test_forwards_that_give_logits_of_later_blocks_are_captured_too(family):
    settings = GenerationSettings(gen_length=24, block_length=8, cache="dkv_prefill")
    decoder, graphs = SelfSpeculative(depth=5, lookahead=1), RecordedGraphs()
    model = StaticModel(restless_model(family, vocabulary_size=512, mask_id=1), decoder.most_nodes, graphs)
    capture_all(model, settings, SPECIAL, map(len, PROMPTS), decoder.most_nodes, lookahead=1)
    before = graphs.captures
    for prompt in PROMPTS:
        decoded, expected = (each.decode(model, prompt, settings, SPECIAL) for each in (decoder, Stepwise()))
        assert decoded.response_ids == expected.response_ids
    assert graphs.captures == before
    assert graphs.replays > 0


@pytest.mark.parametrize("prompts", [[7, 8, 9, 121], [115, 118], [104]])
@pytest.mark.slow
def test_later_blocks_fit_into_the_rooms_of_earlier_ones(prompts):
    """One node, and windows that shrink as contexts outgrow a capacity."""
    settings, graphs = GenerationSettings(gen_length=32, block_length=8, cache="prefix"), RecordedGraphs()
    model = StaticModel(restless_model("llada", vocabulary_size=512, mask_id=1, context_length=256), 1, graphs)
    capture_all(model, settings, SPECIAL, prompts, 1)
    before = graphs.captures
    assert before == len(model.shapes)
    for length in prompts:
        Stepwise().decode(model, list(range(2, 2 + length)), settings, SPECIAL)
    assert graphs.captures == before


def test_graphs_need_cuda_and_engines_a_name_and_single_prompts():
    words = ("model=llada_tiny", "task=tiny_math", "runtime.device=cpu")
    with pytest.raises(
        ValueError, match=r"runtime\.engine=graph on cpu: only CUDA has graphs; pass runtime\.engine=eager"
    ):
        make_plan(composed(*words, "runtime.engine=graph"))
    with pytest.raises(ValueError, match=r"runtime\.engine=fast: expected one of eager, graph, compile"):
        make_plan(composed(*words, "runtime.engine=fast"))
    with pytest.raises(ValueError, match=r"runtime\.engine=compile with runtime\.batch_size=2: .* no fixed shape"):
        make_plan(composed(*words, "runtime.engine=compile", "runtime.batch_size=2"))


def test_eager_is_the_model_itself():
    model = random_model("llada")
    assert with_engine(model, "eager", 9) is model
    assert capture_s(model) is None


@pytest.mark.slow
@pytest.mark.parametrize(("family", "numerics"), by_turns(FAMILIES, ("native", "locked", "float64")))
def test_a_run_at_static_shapes_is_another_run_with_the_same_responses(
    family, numerics, short_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(engines, "compiled_steps", lambda: None)  # which takes half a minute
    words = (f"runtime.numerics={numerics}", "decoder=ssd", "runtime.limit=1")
    eager = short_run(family, *words, f"results_dir={tmp_path / 'eager'}")
    compiled = short_run(family, *words, f"results_dir={tmp_path / 'compile'}", "runtime.engine=compile")
    assert eager["run_id"] != compiled["run_id"]
    assert compiled["identity"]["rate"] == 1
    assert compiled["nfe"] == eager["nfe"]
    folders = {engine: only_folder(tmp_path / engine) for engine in ("eager", "compile")}
    ways, spent = (
        {engine: json.loads((folder / file).read_text())[key] for engine, folder in folders.items()}
        for file, key in (("environment.json", "attention_backend"), ("measured.json", "compile_s"))
    )
    assert ways["eager"] != ways["compile"]
    assert spent["eager"] is None
    assert spent["compile"] > 0


def test_under_a_lock_static_shapes_favour_no_place(family, monkeypatch):
    monkeypatch.setattr(engines, "compiled_steps", lambda: None)
    decoder = SelfSpeculative(depth=5)
    model = with_engine(random_model(family, dtype=torch.float32), "compile", decoder.most_nodes, "locked")
    model = with_numerics(model, "locked", decoder)
    window, canvas = Window(10, 90, 11, 90, 100), torch.arange(100) % 60
    states = torch.randint(60, (6, 80), generator=torch.Generator().manual_seed(0))
    _, context = model.refresh(canvas, window)
    together = model.window(states, window, context)
    for by in range(1, 6):
        assert torch.equal(model.window(states.roll(by, 0), window, context), together.roll(by, 0))


@pytest.mark.slow
@pytest.mark.parametrize("family", some(FAMILIES, 2))
def test_layers_are_compiled_once_for_all(family, monkeypatch):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    eager = random_model(family, layers=5)
    model = StaticModel(eager, 8, graph.as_it_is, graph.compiled_steps())
    window, canvas = Window(10, 14, 11, 14, 24), torch.arange(24)
    (_, context), (_, expected) = model.refresh(canvas, window), eager.refresh(canvas, window)
    for nodes in (1, 2, 4, 8):
        states = canvas[10:14].repeat(nodes, 1)
        assert (model.window(states, window, context) - eager.window(states, window, expected)).abs().max() < 1e-12
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] <= 8  # not 5 layers · 4 shapes · 2 steps


@pytest.mark.slow
def test_a_process_may_compile_for_any_number_of_families_and_dtypes(monkeypatch):
    """Torch's own limit is lowered, so that two of them reach it."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    monkeypatch.setattr(torch._dynamo.config, "recompile_limit", 2)
    window, canvas = Window(10, 14, 11, 14, 24), torch.arange(24)
    for dtype, one_of in zip((torch.float32, torch.bfloat16), FAMILIES, strict=True):
        model = with_engine(random_model(one_of, dtype=dtype, layers=1), "compile", 8)
        _, context = model.refresh(canvas, window)
        for nodes in (1, 8):
            assert model.window(canvas[10:14].repeat(nodes, 1), window, context).isfinite().all()
