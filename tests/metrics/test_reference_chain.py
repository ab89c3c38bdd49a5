"""Three links: by hand, and against runs that decode without a cache on their own."""

import json

import pytest

from ssd.config.plan import make_plan
from ssd.metrics.reference_chain import LINKS, reference_chain
from ssd.report.console.run_table import print_summary
from ssd.run.runner import run
from tests.effort import some
from tests.models import FAMILIES
from tests.runs import composed


def side(ids: list[int], correct: bool, time_s: float) -> dict:
    return {"response_ids": ids, "correct": correct, "time_s": time_s}


def test_figures_by_hand():
    prompts = [
        [
            {
                "uncached": side([1, 2], True, 4.0),
                "reference": side([1, 3], True, 2.0),
                "decoder": side([1, 3], True, 1.0),
            }
        ],
        [
            {
                "uncached": side([5, 6], True, 4.0),
                "reference": side([5, 6], False, 2.0),
                "decoder": side([7, 8], True, 3.0),
            }
        ],
    ]
    cache, decoder, both = reference_chain(prompts, prompts)
    assert [(hop["from"], hop["to"]) for hop in (cache, decoder, both)] == list(LINKS)
    assert [hop["identity"] for hop in (cache, decoder, both)] == [0.5, 0.5, 0.0]
    assert [hop["tokens"] for hop in (cache, decoder, both)] == [0.75, 0.5, 0.25]
    assert cache["accuracy"] == {"from": 1.0, "to": 0.5}
    assert [hop["accuracy_difference"]["difference"] for hop in (cache, decoder, both)] == [-0.5, 0.5, 0.0]
    assert [hop["speedup"]["ratio"] for hop in (cache, decoder, both)] == [2.0, 1.0, 2.0]


def test_lines_without_a_chain_have_no_hops():
    prompts = [[{"reference": side([1], True, 1.0), "decoder": side([1], True, 1.0)}]]
    assert reference_chain(prompts, prompts) is None


@pytest.mark.slow
@pytest.mark.parametrize("family", some(FAMILIES, 2))
def test_a_run_of_three_hops(family, short_run, tmp_path, capsys):
    chain = short_run(family, "runtime.reference=chain")
    alone = short_run(family, "generation.cache=none", "decoder=stepwise")
    lines, uncached = (
        [json.loads(line) for line in (tmp_path / run["run_id"] / "samples.jsonl").read_text().splitlines()]
        for run in (chain, alone)
    )
    assert [line["uncached"]["response_ids"] for line in lines] == [
        line["decoder"]["response_ids"] for line in uncached
    ]
    cache, decoder, both = chain["hops"]
    assert decoder["identity"] == chain["identity"]["rate"] == 1.0
    assert cache["identity"] == both["identity"] < 1.0, "a cache that changes nothing would test nothing"
    assert alone["hops"] is None
    print_summary(chain, "title", [1])
    printed = capsys.readouterr().out
    assert printed.count("link: ") == 3
    assert "no cache → decoder" in printed


@pytest.mark.slow
def test_the_exact_caches_link_changes_nothing_whatever_it_stores_in_a_forward_of_its_own(tmp_path):
    words = ("model=sdar_tiny", "generation.store=separate", "generation.gen_length=7", "runtime.reference=chain")
    rest = ("runtime.limit=1", "runtime.timing=false", "runtime.threads=1", "runtime.predict=false")
    summary = run(make_plan(composed(*words, *rest, f"results_dir={tmp_path}")))
    assert [link["identity"] for link in summary["hops"]] == [1, 1, 1]
    assert 0 < summary["tokens_cut"]["decoder"] < 4


def test_a_chain_without_a_cache_is_its_reference():
    words = ("model=llada_tiny", "task=tiny_math", "runtime.limit=1", "generation.cache=none")
    plans = [make_plan(composed(*words, f"runtime.reference={name}")) for name in ("chain", "stepwise")]
    assert [plan.runtime.reference for plan in plans] == ["stepwise", "stepwise"]
    assert plans[0].config == plans[1].config
