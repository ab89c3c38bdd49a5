"""What the shipped checkpoints must show: accuracy that can be lost, identity, and fewer forwards."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ssd.config.plan import make_plan
from ssd.run.runner import run
from ssd.tasks.tiny_math import TinyMath
from tests.effort import LONG
from tests.runs import composed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def summary_of(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Summaries of runs, as `python run.py ...` makes them; each line is run once."""
    folder: Path = tmp_path_factory.mktemp("results")

    @cache
    def summarise(*overrides: str) -> dict[str, Any]:
        return run(make_plan(composed(*SHARED, *overrides, f"results_dir={folder}")))

    return summarise


PROMPTS = 100 if LONG else 2
SHARED = ("runtime.timing=false", "runtime.predict=false", "runtime.threads=1", f"runtime.limit={PROMPTS}")
"""Nothing is timed, so that all runs of a model share the responses of one reference."""
CHAIN = ("decoder=ssd", "decoder.builder=chain", "decoder.depth=8", "model=llada_tiny", "task=tiny_math")
TREE = ("decoder=ssd", "decoder.builder=best_first", "decoder.budget=9", "model=llada_tiny", "task=tiny_math")


def test_ssd_is_identical_on_llada_tiny_in_float32(summary_of):
    for line in (CHAIN, TREE):
        summary = summary_of(*line)
        assert summary["prompts"] == PROMPTS
        assert summary["identity"]["identical"] == summary["prompts"]
        assert summary["accuracy"]["decoder"] == summary["accuracy"]["reference"]


def test_a_chain_of_depth_8_needs_at_least_1_8_times_fewer_forwards(summary_of):
    assert summary_of(*CHAIN)["nfe"]["ratio"] >= 1.8


def test_best_first_needs_fewer_forwards_than_a_chain_at_the_same_nine_nodes(summary_of):
    chain, tree = summary_of(*CHAIN), summary_of(*TREE)
    assert tree["nfe"]["decoder"] < chain["nfe"]["decoder"]
    assert tree["node_evaluations"]["decoder"] <= 9 * tree["nfe"]["decoder"]


@pytest.mark.parametrize("model", ["llada_tiny", "dream_tiny"])
def test_stepwise_decoding_solves_most_of_tiny_math(summary_of, model):
    line = CHAIN if model == "llada_tiny" else (*CHAIN[:3], f"model={model}", "task=tiny_math")
    summary = summary_of(*line)
    assert summary["accuracy"]["reference"] >= 0.8
    assert summary["identity"]["rate"] == 1.0


def test_the_audit_catches_a_decoder_that_rereads_its_drafts(summary_of, monkeypatch):
    """On a trained model such a decoder is right so often that accuracy alone, or a few prompts, hardly show it.

    Of the first eight prompts only the sixth does.
    """
    planted = ("decoder._target_=tests.planted.IgnoresOrder", "decoder.name=planted")
    if not LONG:
        shown = TinyMath().documents(6)[5:]
        monkeypatch.setattr(TinyMath, "documents", lambda task, limit: shown)
    summary = summary_of(*CHAIN, *planted)
    assert summary["identity"]["algorithmic"] > 0
    assert summary["identity"]["numeric"] == 0
