"""Runs that decode several prompts at once: the same lines as one by one, and seconds that add up."""

import json

import pytest

from ssd.measure.batching import ContinuousBatcher
from ssd.report.console.run_table import print_summary
from ssd.run import job
from tests.effort import by_turns
from tests.models import FAMILIES
from tests.runs import composed


def lines_of(root, run_id):
    return [json.loads(line) for line in (root / run_id / "samples.jsonl").read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize(("family", "cache"), by_turns(FAMILIES, ("prefix", "dual")))
def test_a_batch_changes_no_response_and_no_trace(family, cache, short_run, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(job, "BATCHES", 1)
    words = ("runtime.limit=7", f"generation.cache={cache}", "generation.stop=eos_block")
    alone = short_run(family, *words)
    batch = short_run(family, *words, "runtime.batch_size=3")
    expected, found = lines_of(tmp_path, alone["run_id"]), lines_of(tmp_path, batch["run_id"])
    assert [line["index"] for line in found] == list(range(7))
    for line, other in zip(found, expected, strict=True):
        for side in ("reference", "decoder"):
            measured = ("latency_s", "time_s", "model_s", "forwards")
            assert {k: v for k, v in line[side].items() if k not in measured} == {
                k: v for k, v in other[side].items() if k not in measured
            }
            assert line[side]["time_s"] > 0
    assert batch["run_id"] != alone["run_id"]
    for name in ("nfe", "token_rows", "tokens_per_forward", "acceptance_length", "identity", "accuracy", "length"):
        assert batch[name] == alone[name]
    # Two groups of three prompts in step with each other, and one prompt alone.
    assert batch["responses_per_forward"]["reference"] == pytest.approx(7 / 3)
    assert 1 < batch["responses_per_forward"]["decoder"] < 3
    assert alone["responses_per_forward"] == {"reference": 1, "decoder": 1}
    print_summary(batch, "title", [1])
    assert "responses per forward" in capsys.readouterr().out


@pytest.mark.slow
def test_a_batch_is_resumed_where_it_stopped(short_run, tmp_path):
    words = ("runtime.limit=5", "runtime.batch_size=2")
    whole = short_run("llada", *words)
    expected = lines_of(tmp_path, whole["run_id"])
    folder = tmp_path / whole["run_id"]
    (folder / "done.json").unlink()
    content = (folder / "samples.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "samples.jsonl").write_bytes(b"".join(content[:2]) + content[2][:30])
    short_run("llada", *words)
    found = lines_of(tmp_path, whole["run_id"])
    assert found[:2] == expected[:2]
    assert [line["decoder"]["response_ids"] for line in found] == [line["decoder"]["response_ids"] for line in expected]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["decoder=apd"], "a verifier's forwards are not shared; pass runtime.batch_size=1 for decoder=apd"),
        (["runtime.batch_size=0"], "runtime.batch_size=0: expected a whole number of at least 1"),
        (
            ["runtime.numerics=locked"],
            "forwards shared by several responses have no fixed shape; pass runtime.batch_size=1",
        ),
    ],
)
def test_what_cannot_be_batched_is_refused(words, message, short_run):
    with pytest.raises(ValueError, match=message):
        short_run("dream", "runtime.batch_size=2", *words)


@pytest.mark.slow
def test_sides_take_turns_at_going_first_after_a_warm_up_of_whole_batches(short_run, monkeypatch):
    monkeypatch.setattr(job, "BATCHES", 1)
    calls = []
    run = ContinuousBatcher.run

    def watch(self, jobs, size):
        calls.append((type(jobs[0].func.__self__).__name__, len(jobs)))
        return run(self, jobs, size)

    monkeypatch.setattr(ContinuousBatcher, "run", watch)
    words = ("runtime.limit=5", "runtime.batch_size=2", "runtime.reference=chain")
    summary = short_run("llada", *words, f"runtime.warmup={composed().runtime.warmup}")
    warm_up, measured = calls[:3], calls[3:]
    assert warm_up == [("Stepwise", 2), ("SelfSpeculative", 2), ("Stepwise", 2)]
    assert [size for _, size in measured] == [2, 2, 2, 2, 2, 2, 1, 1, 1]
    assert [place % 3 for place, (name, _) in enumerate(measured) if name == "SelfSpeculative"] == [1, 0, 2]
    assert summary["speedup"]["low"] < summary["speedup"]["high"]


def test_one_turn_has_no_interval(short_run, capsys):
    summary = short_run("llada", "runtime.limit=3", "runtime.batch_size=3")
    assert (summary["speedup"]["low"], summary["speedup"]["high"]) == (None, None)
    assert summary["hops"] is None
    print_summary(summary, "title", [1])
    assert "no interval" in capsys.readouterr().out
