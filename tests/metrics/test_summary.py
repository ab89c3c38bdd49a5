"""The summary of three hand-made sample lines, every figure worked out by hand."""

import copy
import json
import re

import numpy as np
import pytest

from ssd.metrics.bootstrap import mean_interval, ratio_of_sums
from ssd.metrics.summary import summarise
from ssd.report.console.run_table import print_summary

KINDS = ("refresh", "decode", "verify", "verifier")
CONFIG = {
    "decoder": {"name": "ssd", "lossless": True},
    "model": {"name": "llada"},
    "task": {"name": "gsm8k"},
    "runtime": {"repeats": 1, "numerics": "native"},
}
STEPWISE = "stepwise decoding"


def part(latency_s, nfe, rows, total, useful, correct, lengths=(), drafted=(), accepted=(), verifier_s=0.0, order=0.5):
    return {
        "response_ids": [7] * total,
        "correct": correct,
        "correct_strict": None,
        "latency_s": latency_s,
        "time_s": latency_s,
        "forwards": float(sum(nfe[:3])),
        "model_s": latency_s * 0.75 - verifier_s,
        "predicted_s": sum(nfe[:3]) * 0.125,
        "verifier_s": verifier_s,
        "nfe": dict(zip(KINDS, nfe, strict=True)),
        "node_evaluations": sum(nfe[:3]) + sum(drafted),
        "token_rows": rows,
        "tokens_total": total,
        "tokens_useful": useful,
        "tokens_cut": total // 8,
        "acceptance_lengths": list(lengths),
        "drafted_by_depth": list(drafted),
        "accepted_by_depth": list(accepted),
        "order_correlation": {"within_blocks": order, "response": None},
    }


def line(index, reference, decoder, divergence=None, same_order=True, repeat=0):
    return {
        "index": index,
        "turn": index,
        "repeat": repeat,
        "reference": reference,
        "decoder": decoder,
        "identical": divergence is None,
        "same_commit_order": same_order,
        "first_divergence": divergence,
        "order_divergence": None,
        "reference_drift": False,
        "oracle_nfe": 4,
        "peak_memory_mib": 123.5 - index,
    }


@pytest.fixture
def lines() -> list[dict]:
    return [
        line(
            0,
            part(2.0, (2, 14, 0, 0), 200, 16, 10, True),
            part(1.0, (2, 1, 3, 0), 260, 16, 10, True, (5, 5, 3), (3, 3, 2), (3, 3, 1)),
        ),
        line(
            1,
            part(4.0, (2, 14, 0, 0), 200, 16, 16, False),
            part(1.0, (2, 0, 4, 2), 300, 16, 12, True, (4, 4, 4, 2), (4, 3), (3, 3), 0.75),
            {"class": "numeric"},
            same_order=False,
        ),
        line(
            2,
            part(2.0, (1, 7, 0, 0), 100, 8, 2, True),
            part(2.0, (1, 7, 0, 0), 100, 8, 0, False),
            {"class": "algorithmic"},
            same_order=False,
        ),
    ]


@pytest.fixture
def summary(lines):
    return summarise(CONFIG, "ssd-x", STEPWISE, None, lines)


def test_figures_by_hand(summary):
    assert (summary["run_id"], summary["status"], summary["prompts"]) == ("ssd-x", "done", 3)
    assert [summary[group] for group in ("decoder", "model", "task")] == ["ssd", "llada", "gsm8k"]
    assert (summary["compared_with"], summary["claims_lossless"], summary["caveat"]) == (STEPWISE, True, None)
    assert summary["peak_memory_mib"] == 123.5
    assert summary["predicted_speedup"] == 40 / 20
    assert summary["predicted_of_measured"] == {"reference": pytest.approx(5 / 6), "decoder": pytest.approx(2.5 / 2.25)}
    assert summary["outside_model"] == {"reference": pytest.approx(0.25), "decoder": pytest.approx(0.25)}
    assert summary["speedup"]["ratio"] == 8 / 4
    assert summary["nfe"] == {
        "reference": 40 / 3,
        "decoder": 20 / 3,
        "ratio": 2.0,
        "by_kind": {"refresh": 5 / 3, "decode": 8 / 3, "verify": 7 / 3, "verifier": 2 / 3},
    }
    assert summary["token_rows"] == {"reference": 500 / 3, "decoder": 660 / 3}
    assert summary["node_evaluations"] == {"reference": 40 / 3, "decoder": (20 + 8 + 7) / 3}
    assert summary["tokens_per_forward"] == {"reference": 40 / 40, "decoder": 40 / 20}
    assert summary["oracle_tokens_per_forward"] == 40 / 12
    assert summary["tokens_per_s"] == {"reference": 40 / 8, "decoder": 40 / 4}
    assert summary["ms_per_forward"] == {"reference": 8000 / 40, "decoder": (4000 - 750) / 20}
    assert summary["verifier_s"] == {"reference": 0.0, "decoder": 0.75 / 3}
    assert summary["tokens_total"] == {"reference": 40 / 3, "decoder": 40 / 3}
    assert summary["tokens_cut"] == {"reference": 5 / 3, "decoder": 5 / 3}
    assert summary["tokens_useful"] == {"reference": 28 / 3, "decoder": 22 / 3}
    assert summary["acceptance_length"] == {
        "mean": pytest.approx((5 + 5 + 3 + 4 + 4 + 4 + 2) / 7),
        "rate_by_depth": [6 / 7, 6 / 6, 1 / 2],
    }
    assert summary["identity"] == {
        "rate": 1 / 3,
        "identical": 1,
        "numeric": 1,
        "algorithmic": 1,
        "same_commit_order": 1 / 3,
        "other_order": {"numeric": 0, "algorithmic": 0},
    }
    assert summary["accuracy"] == {"reference": 2 / 3, "decoder": 2 / 3}
    assert summary["latency_s"]["p50"] == 1.0
    assert summary["latency_s"]["p90"] == pytest.approx(1.8)
    assert summary["latency_s"]["p99"] == pytest.approx(1.98)
    assert summary["reference_latency_s"]["p50"] == 2.0
    assert summary["reference_latency_s"]["p90"] == pytest.approx(3.6)


NUMBER = (int, float)
PAIR = {"reference": NUMBER, "decoder": NUMBER}
SCHEMA = {
    "run_id": str,
    "status": str,
    "prompts": int,
    "responses": int,
    "pass_at": {"1": PAIR},
    "compared_with": str,
    "claims_lossless": bool,
    "caveat": (str, type(None)),
    "speedup": {"ratio": NUMBER, "low": (*NUMBER, type(None)), "high": (*NUMBER, type(None))},
    "nfe": {**PAIR, "ratio": NUMBER, "by_kind": dict.fromkeys(KINDS, NUMBER)},
    "token_rows": PAIR,
    "tokens_per_forward": PAIR,
    "acceptance_length": {"mean": NUMBER, "rate_by_depth": list},
    "tokens_per_s": PAIR,
    "verifier_s": PAIR,
    "latency_s": {"p50": NUMBER, "p90": NUMBER, "p99": NUMBER},
    "identity": {"rate": NUMBER, "identical": int, "numeric": int, "algorithmic": int},
    "accuracy": PAIR,
    "accuracy_strict": (dict, type(None)),
    "peak_memory_mib": NUMBER,
    "predicted_speedup": (float, type(None)),
    "predicted_of_measured": (dict, type(None)),
}


def check_schema(found, schema, where="summary") -> None:
    """Every key that scripts rely on is there and of its type, and the whole is strict JSON."""
    for key, kind in schema.items():
        assert key in found, f"{where} has no {key}"
        if isinstance(kind, dict):
            check_schema(found[key], kind, f"{where}.{key}")
        else:
            assert isinstance(found[key], kind), f"{where}.{key} is {found[key]!r}"
    json.dumps(found, allow_nan=False)


def test_keys_and_types_that_scripts_rely_on(summary):
    check_schema(summary, SCHEMA)
    assert set(summary["nfe"]["by_kind"]) == set(KINDS)


def test_without_verify_forwards_a_forward_is_one_step(lines):
    """Stepwise decoding measured against itself: no drafts, no acceptance, ratios of exactly one."""
    for sample in lines:
        sample |= {"decoder": copy.deepcopy(sample["reference"]), "identical": True, "first_divergence": None}
    summary = summarise(CONFIG, "stepwise-x", STEPWISE, None, lines)
    check_schema(summary, SCHEMA)
    assert summary["acceptance_length"] == {"mean": 1.0, "rate_by_depth": []}
    assert summary["speedup"] == {"ratio": 1.0, "low": 1.0, "high": 1.0}
    assert summary["nfe"]["ratio"] == 1.0
    assert summary["identity"]["rate"] == 1.0


def test_the_speedup_of_batches_is_as_sure_as_their_turns_are_many(lines):
    """Two turns, of prompts 0 and 1 and of prompt 2: the prompts of a turn stay together."""
    lines[1] |= {"turn": 0}
    summary = summarise(CONFIG, "ssd-x", STEPWISE, None, lines)
    assert summary["turns"] == 2
    assert summary["speedup"] == ratio_of_sums([6, 2], [2, 2])


@pytest.mark.parametrize("side", ["reference", "decoder"])
def test_what_cannot_be_told_of_one_response_is_not_told_of_the_run(lines, side):
    lines[1][side] |= {"predicted_s": None, "model_s": None}
    summary = summarise(CONFIG, "ssd-x", STEPWISE, None, lines)
    assert summary["predicted_speedup"] is summary["outside_model"] is summary["predicted_of_measured"] is None


def test_accuracy_under_a_tasks_strict_rule(lines, summary, capsys):
    assert summary["accuracy_strict"] is None
    for sample, reference, decoder in zip(lines, (True, True, False), (True, False, False), strict=True):
        sample["reference"]["correct_strict"], sample["decoder"]["correct_strict"] = reference, decoder
    strict = summarise(CONFIG, "ssd-x", STEPWISE, None, lines)
    assert strict["accuracy_strict"] == {"reference": 2 / 3, "decoder": 1 / 3}
    for found in (summary, strict):
        print_summary(found, "title", [1])
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "strict rule" in line)
    assert re.findall(r"[0-9.]+%", row) == ["66.7%", "33.3%"]


def test_the_order_of_lines_changes_nothing(lines, summary):
    assert summarise(CONFIG, "ssd-x", STEPWISE, None, lines[::-1]) == summary


def test_several_responses_per_prompt(lines):
    """Prompt 0 has the first two lines, prompt 1 twice the third: means are over four responses, pairs are two."""
    four = [
        *(lines[place] | {"index": 0, "turn": 0, "repeat": place} for place in (0, 1)),
        *(lines[2] | {"index": 1, "turn": 1, "repeat": repeat} for repeat in (0, 1)),
    ]
    summary = summarise(CONFIG | {"runtime": {"repeats": 2, "numerics": "native"}}, "ssd-x", STEPWISE, None, four)
    assert (summary["prompts"], summary["responses"]) == (2, 4)
    assert summary["accuracy"] == {"reference": 3 / 4, "decoder": 2 / 4}
    assert summary["pass_at"] == {
        "1": {"reference": 3 / 4, "decoder": 2 / 4},
        "2": {"reference": 1.0, "decoder": 1 / 2},
    }
    assert summary["speedup"]["ratio"] == 10 / 6
    assert summary["speedup"] == ratio_of_sums([6, 4], [2, 4]), "pairs are prompts, not responses"
    assert summary["accuracy_difference"]["difference"] == pytest.approx(-1 / 4)
    low, high = mean_interval(np.array([0.5, -1.0]))
    assert (summary["accuracy_difference"]["low"], summary["accuracy_difference"]["high"]) == (low, high)


def test_a_summary_of_one_prompt(lines):
    check_schema(summarise(CONFIG, "ssd-x", STEPWISE, None, lines[:1]), SCHEMA)


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("caveat", [None, "the draft is taken on trust"])
def test_a_caveat_takes_back_the_claim_to_be_lossless(lines, lossless, caveat):
    config = CONFIG | {"decoder": {"name": "freedave", "lossless": lossless}}
    summary = summarise(config, "freedave-x", "stepwise decoding, threshold 0.9", caveat, lines)
    check_schema(summary, SCHEMA)
    assert summary["claims_lossless"] is (lossless and caveat is None)
    assert summary["caveat"] == caveat
    assert summary["compared_with"] == "stepwise decoding, threshold 0.9"
