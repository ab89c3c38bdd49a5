"""What float64 decides: a fault of forwards over several nodes is no rounding, however narrow its margins are."""

import json
import random
from itertools import product

import pytest
import torch

from baselines.stepwise import Stepwise
from ssd.audit.compare import Audit
from ssd.audit.divergence import NODE_TOLERANCE, Divergence, Opinion
from ssd.audit.float64 import ExactModel
from ssd.audit.node_isolation import NodeIsolationProbe
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Pick
from ssd.measure.instrumentation import ForwardCounter
from ssd.modeling.kv_cache import Window
from ssd.speculation.decoder import SelfSpeculative
from tests.effort import LONG, examples
from tests.planted import BelievesAll, LeaksBetweenNodes
from tests.restless import restless_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62, 61))
CACHES = ("none", "prefix", "dual")
LEAKING = LeaksBetweenNodes(depth=4)


def settings(cache: str = "dual", **changes) -> GenerationSettings:
    return GenerationSettings(**({"gen_length": 16, "block_length": 8, "cache": cache} | changes))


def prompt_of(seed: int) -> list[int]:
    return random.Random(seed).choices(range(60), k=8)


def both_sides(model, generation, seed, decoder):
    prompt = prompt_of(seed)
    return prompt, *(side.decode(model, prompt, generation, SPECIAL) for side in (Stepwise(), decoder)), decoder


def divergence_of(compared, audit: Audit) -> Divergence | None:
    """The divergence of a response, or of its order if the responses are equal."""
    return audit.compare(*compared) or audit.compare_order(*compared)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
def test_a_leak_between_nodes_is_algorithmic_in_any_arithmetic(family, dtype):
    """In 16 bits a dtype's bound would excuse most of them, and evaluating nodes one by one hides them all."""
    excused, caught = False, dict.fromkeys(CACHES, 0)
    for seed, cache in product(range(8), CACHES):
        if caught[cache] and (excused or dtype == torch.float32) and not LONG:
            continue
        model, generation = restless_model(family, seed, dtype, sharpness=(0.3, 3.0)[seed % 2]), settings(cache)
        compared = both_sides(model, generation, seed, LEAKING)
        found = divergence_of(compared, Audit(model, generation, SPECIAL, exact=ExactModel(model)))
        if found is not None:
            assert found.verdict == "algorithmic", found
            excused = excused or divergence_of(compared, Audit(model, generation, SPECIAL)).verdict == "numeric"
            caught[cache] += 1
            if found.one_by_one:
                assert found.float64.node_difference > 0.01
    assert all(caught.values()), caught
    assert excused or dtype == torch.float32


@pytest.mark.parametrize("cache", CACHES)
def test_nodes_of_a_right_model_differ_by_less_than_the_bound_and_of_a_leaking_one_by_more(family, cache):
    for decoder, is_right in ((SelfSpeculative(depth=4), True), (LEAKING, False)):
        for seed in range(examples(4)):
            probe = NodeIsolationProbe(restless_model(family, seed))
            decoder.decode(probe, prompt_of(seed), settings(cache), SPECIAL)
            assert (probe.difference < NODE_TOLERANCE / 100) == is_right
            assert is_right or probe.difference > 1e6 * NODE_TOLERANCE


def test_the_probe_gives_the_models_own_logits_and_counts_no_number_as_a_difference(family):
    model, prompt = restless_model(family), prompt_of(0)
    probe = NodeIsolationProbe(model)
    expected, found = (SelfSpeculative(depth=4).decode(one, prompt, settings(), SPECIAL) for one in (model, probe))
    assert found == expected
    model.transformer.head.weight[5] = torch.nan
    window = Window(0, len(prompt), 1, len(prompt), len(prompt))
    probe.window(torch.tensor([prompt, prompt]), window)
    assert probe.difference == torch.inf


def divergence(opinion: Opinion | None) -> Divergence:
    pick = Pick(0, 1, 0.5)
    return Divergence(0, 0, 0, pick, pick, 0.0, 0.0, 0.1, "pick", True, opinion)


@pytest.mark.parametrize(
    ("same_steps", "node_difference", "verdict"),
    [
        (None, None, "numeric"),
        (True, 1e-13, "numeric"),
        (True, 2 * NODE_TOLERANCE, "algorithmic"),
        (True, torch.inf, "algorithmic"),
        (True, torch.nan, "algorithmic"),
        (False, 1e-15, "algorithmic"),
    ],
)
def test_float64_takes_a_verdict_back(same_steps, node_difference, verdict):
    found = divergence(Opinion(0.0, 0.0, "both", same_steps, node_difference))
    assert found.verdict == verdict
    line = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert (line["class"], line["float64"]["same_steps"]) == (verdict, same_steps)


def test_without_float64_a_near_tie_stands():
    assert divergence(None).verdict == "numeric"


@pytest.mark.parametrize("cache", CACHES)
def test_what_no_rounding_explains_is_not_decoded_again(cache):
    """One state is evaluated, after a refresh where there is a cache; lossy decoders part in every response."""
    model, generation = restless_model("llada", 1, torch.float32), settings(cache)
    copy, seen = ExactModel(model), 0
    for seed in range(4):
        compared = both_sides(model, generation, seed, BelievesAll(depth=4))
        in_float32, in_float64 = ForwardCounter(model.transformer), ForwardCounter(copy.model.transformer)
        found = Audit(model, generation, SPECIAL, exact=copy).compare(*compared)
        if found is not None and found.near_tie is None:
            assert in_float32.forwards <= 2
            assert in_float64.forwards <= 2
            assert found.one_by_one is None
            assert found.float64.same_steps is found.float64.node_difference is None
            seen += 1
        for counter in (in_float32, in_float64):
            counter.remove()
    assert seen
