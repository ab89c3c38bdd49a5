"""The modes of runtime.numerics: what they change, and that under a lock lossless is lossless in coarse arithmetic."""

from dataclasses import replace
from random import Random

import pytest
import torch

from baselines.stepwise import Stepwise
from scripts.independence import Independence, independence
from ssd.config.plan import make_plan
from ssd.decoding.decoder import Decoder
from ssd.decoding.noise import CounterNoise
from ssd.decoding.scores import Scores
from ssd.decoding.scoring import Scorer
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure.numerics import with_numerics
from ssd.modeling.batch_invariant import BatchInvariantModel
from ssd.speculation.decoder import SelfSpeculative
from tests.conformance.candidates import LINES, SPECIAL, accepts, candidate, model_of
from tests.effort import examples
from tests.generations import drawn
from tests.models import FAMILIES
from tests.restless import restless_model
from tests.runs import composed
from tests.tiles import in_tiles

MARKS = SpecialTokens(mask_id=63, end_ids=(62,))
PROMPTS = [[Random(seed).randrange(62) for _ in range(7)] for seed in range(2)]
DECODERS = {"chain": SelfSpeculative(depth=8), "best_first": SelfSpeculative(depth=8, budget=9, builder="best_first")}


def diverging(decoder: Decoder, numerics: str, family: str, cache: str, dtype: torch.dtype) -> int:
    """Of how many prompts the response or its confidences are not stepwise decoding's, where kernels work in tiles."""
    model = in_tiles(restless_model(family, dtype=dtype, sharpness=0.3))
    model = with_numerics(model, numerics, Stepwise(), decoder)
    settings = GenerationSettings(gen_length=8, block_length=8, cache=cache)
    count = 0
    for prompt in PROMPTS:
        picks = [one.decode(model, prompt, settings, MARKS).trace.picks for one in (Stepwise(), decoder)]
        count += picks[0] != picks[1]
    return count


@pytest.mark.parametrize(("name", "dtype"), [("chain", torch.float32), ("best_first", torch.bfloat16)])
@pytest.mark.parametrize("cache", ["none", "dual"])
@pytest.mark.parametrize("family", FAMILIES)
def test_locked_responses_are_the_references_bit_by_bit_where_native_ones_are_not(name, family, cache, dtype):
    assert diverging(DECODERS[name], "native", family, cache, dtype) > 0
    assert diverging(DECODERS[name], "locked", family, cache, dtype) == 0


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES)
def test_a_lock_of_the_most_nodes_holds_every_forward_of_a_decoder(line):
    decoder, generator = candidate(line, "llada").decoder, Random(line)
    decoded = []
    while len(decoded) < examples(4):
        settings = replace(drawn(generator), stop="none")
        if accepts(decoder, settings, "llada"):
            model = BatchInvariantModel(model_of("llada"), decoder.most_nodes)
            decoded.append(decoder.decode(model, [7, 8, 9], settings, SPECIAL))
    nodes = [event.nodes for each in decoded for event in each.trace.events if event.kind != "verifier"]
    assert max(nodes) <= decoder.most_nodes


@pytest.mark.parametrize(("line", "nodes"), [("decoder=ssd", 9), ("decoder=freedave", 4), ("decoder=psd", 9)])
def test_the_most_nodes_are_reached(line, nodes):
    decoder = candidate(line, "llada").decoder
    assert decoder.most_nodes == nodes
    settings = GenerationSettings(gen_length=16, block_length=16)
    trace = decoder.decode(model_of("llada"), [7, 8, 9], settings, SPECIAL).trace
    assert max(event.nodes for event in trace.events) == nodes


def test_float64_keeps_the_weights_as_they_were_rounded():
    model = restless_model("llada", dtype=torch.bfloat16)
    before = {name: weight.clone() for name, weight in model.transformer.state_dict().items()}
    exact = with_numerics(model, "float64", Stepwise())
    assert exact.dtype == torch.float64
    assert all(torch.equal(weight, before[name].double()) for name, weight in exact.transformer.state_dict().items())


def test_native_is_the_model_itself():
    model = restless_model("llada")
    assert with_numerics(model, "native", Stepwise()) is model


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_locked_run_is_identical_and_runs_of_other_numerics_have_other_ids(family, short_run):
    words = ("decoder=ssd", "runtime.dtype=bfloat16", "runtime.limit=1")
    summaries = {mode: short_run(family, *words, f"runtime.numerics={mode}") for mode in ("locked", "float64")}
    assert summaries["locked"]["identity"]["rate"] == summaries["float64"]["identity"]["rate"] == 1
    assert summaries["locked"]["run_id"] != summaries["float64"]["run_id"]


def test_a_batch_of_prompts_cannot_be_locked():
    with pytest.raises(ValueError, match=r"runtime\.numerics=locked with runtime\.batch_size=2: .* no fixed shape"):
        make_plan(composed("runtime.numerics=locked", "runtime.batch_size=2", "model=llada_tiny", "task=tiny_math"))


def test_each_way_to_depend_on_other_nodes_is_found():
    nodes, others = torch.rand(3, 4), torch.rand(3, 4)
    places = torch.arange(3.0)[:, None]
    assert independence(torch.sin, nodes, others) == Independence(True, True, True)
    assert independence(lambda x: x + x[1:].sum(), nodes, others) == Independence(False, False, False)
    assert independence(lambda x: x + places[: len(x)], nodes, others) == Independence(True, False, True)
    assert independence(lambda x: x + len(x), nodes, others) == Independence(True, True, False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("ranking", ["low_confidence", "topk_margin", "entropy"])
@pytest.mark.parametrize("words", [{}, {"temperature": 0.7, "top_p": 0.9}, {"confidence_dtype": "logits"}], ids=str)
def test_scores_do_not_depend_on_the_number_of_nodes(words, ranking, dtype):
    scorer = Scorer(GenerationSettings(ranking=ranking, **words), MARKS, CounterNoise(0, [1, 2]))
    logits = torch.randn(5, 40, 500, generator=torch.Generator().manual_seed(0)).to(dtype)
    steps = torch.arange(5)

    def score(nodes: slice) -> Scores:
        padded = logits.clone()[nodes, :31]  # a view into more rows, as a locked model returns it
        return scorer.score(padded, steps[nodes], 0, 10, False)

    together = score(slice(None))
    for node in range(5):
        alone = score(slice(node, node + 1))
        assert torch.equal(alone.token[0], together.token[node])
        assert torch.equal(alone.confidence[0], together.confidence[node])
        assert torch.equal(alone.probability[0], together.probability[node])
