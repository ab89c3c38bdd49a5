"""What adaptive drafts must reach on the shipped LLaDA: counted in forwards and nodes, so that no clock has a part."""

from functools import cache

import pytest
import torch

from ssd.config.plan import Plan, make_plan
from ssd.decoding.trace import Trace
from ssd.modeling.checkpoint import load_model, load_tokenizer, read_config
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.paths import ROOT
from ssd.run.checks import check_model, render_all
from ssd.speculation.decoder import SelfSpeculative
from ssd.speculation.node_costs import NodeCosts
from tests.effort import LONG, some
from tests.runs import composed

pytestmark = pytest.mark.slow

FOLDER = ROOT / "checkpoints" / "llada_tiny"
PROMPTS = 3 if LONG else 2
COSTS = {
    "nodes nearly free": [[1, 1.0], [8, 1.3], [16, 1.7], [32, 2.6]],
    "nodes dear": [[1, 1.0], [2, 1.5], [4, 2.5], [9, 5.2], [32, 17.0]],
}
DEPTHS = (1, 2, 4, 8)


@cache
def model() -> MaskedDiffusionModel:
    return load_model(FOLDER, "cpu", torch.float32)


def work(*words: str) -> tuple[Plan, list[list[int]]]:
    """Word problems and small functions: the mixed work that no fixed depth is best for."""
    prompts = []
    for task in ("tiny_math", "tiny_mbpp"):
        line = ("model=llada_tiny", f"task={task}", f"runtime.limit={PROMPTS}", "generation.gen_length=32", *words)
        plan = make_plan(composed(*line))
        prompts += render_all(plan, load_tokenizer(FOLDER), check_model(plan, read_config(FOLDER)))
    return plan, prompts


@cache
def traces(confidence: str, **options: object) -> list[Trace]:
    plan, prompts = work(f"generation.confidence_dtype={confidence}")
    decoder = SelfSpeculative(**options)
    return [decoder.decode(model(), prompt, plan.settings, plan.special).trace for prompt in prompts]


def stepwise_cost(decoded: list[Trace]) -> int:
    """Return what `cost` would be of stepwise decoding: it needs one forward per token of the same responses."""
    return sum(len(each.picks) - sum(event.kind == "refresh" for event in each.events) for each in decoded)


def cost(decoded: list[Trace], pairs: list[list[float]]) -> float:
    """In forwards of one node; refreshes, which all decoders make alike, left out."""
    costs = NodeCosts.of_rows(pairs)
    return sum(costs.relative(event.nodes) for each in decoded for event in each.events if event.kind != "refresh")


def forwards(decoded: list[Trace]) -> int:
    return sum(trace.nfe for trace in decoded)


@pytest.mark.parametrize("name", COSTS)
def test_depth_auto_is_no_more_than_3_percent_behind_the_best_fixed_depth(name):
    pairs = COSTS[name]
    auto = SelfSpeculative(depth="auto", costs=pairs)
    plan, prompts = work()
    found = cost([auto.decode(model(), prompt, plan.settings, plan.special).trace for prompt in prompts], pairs)
    fixed = [traces("float64", depth=depth) for depth in DEPTHS]
    best = min(stepwise_cost(fixed[0]), *(cost(decoded, pairs) for decoded in fixed))
    assert found <= 1.03 * best
    assert found < cost(fixed[-1], pairs), "of this depth not even the cost is looked at"


@pytest.mark.parametrize("confidence", some(["float64", "logits"], 2))
def test_best_first_trees_save_forwards_over_chains_of_as_many_nodes(confidence):
    saved = {}
    for nodes in (3, 9, 17) if LONG else (3, 9):
        chain = traces(confidence, depth=nodes - 1)
        tree = traces(confidence, depth=16, budget=nodes, builder="best_first")
        saved[nodes] = forwards(chain) / forwards(tree) - 1
    assert saved.pop(3) >= -0.02
    assert min(saved.values()) >= 0.15, saved


def test_a_sampled_chain_of_depth_4_commits_2_3_tokens_per_forward():
    """Drafts of later rounds that read node 0's logits, not the accepted node's, stay lossless and commit 1.85."""
    plan, prompts = work("generation.temperature=0.8", "generation.cache=dual")
    chain = SelfSpeculative(depth=4)
    decoded = [chain.decode(model(), prompt, plan.settings, plan.special).trace for prompt in prompts[:PROMPTS]]
    assert sum(len(trace.picks) for trace in decoded) / forwards(decoded) >= 2.3
