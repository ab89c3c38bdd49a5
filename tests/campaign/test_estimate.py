"""How long a grid will take: what is known best wins, and what is not known is said."""

import json
from pathlib import Path

import pytest
import yaml

from ssd.campaign.estimate import estimate
from ssd.campaign.planned_run import Grid, PlannedRun, line_before, seconds_left
from ssd.campaign.stored_times import alike_seconds, stored_times

DEVICE = "a processor"


def config(
    decoder: str = "ssd", model: str = "llada", dtype: str = "float32", device: str = "cpu", **options: int
) -> dict:
    return {
        "decoder": {"name": decoder, **options},
        "model": {"name": model, "path": model},
        "task": {"name": "gsm8k", "sha256": "0", "num_fewshot": 0},
        "generation": {"gen_length": 64, "seed": 0},
        "runtime": {"dtype": dtype, "limit": None, "device": device, "timing": True},
    }


def planned(root: Path, stored: int = 0, name: str = "planned", **options) -> PlannedRun:
    return PlannedRun(name, root, config(**options), responses=10, stored=stored, is_done=False)


def store(root: Path, name: str, reference_s: float, decoder_s: float, device_name: str = DEVICE, **options) -> None:
    """A finished run of 64 tokens per response in these seconds."""
    folder = root / name
    folder.mkdir(parents=True)
    tokens, seconds = {"reference": 64.0, "decoder": 64.0}, {"reference": reference_s, "decoder": decoder_s}
    rates = {side: tokens[side] / seconds[side] for side in tokens}
    (folder / "config.yaml").write_text(yaml.safe_dump(config(**options)))
    (folder / "environment.json").write_text(json.dumps({"schema": 1, "device_name": device_name}))
    summary = {"schema": 1, "tokens_total": tokens, "tokens_per_s": rates, "hops": None}
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "done.json").write_text("{}")


def estimates(root: Path, *runs: PlannedRun):
    def forward_s(run: PlannedRun) -> float:
        raise FileNotFoundError("the weights are not on this machine yet")

    return estimate(runs, list(stored_times(root)), DEVICE, forward_s)


def test_stored_runs_of_the_same_decoder_tell_most(tmp_path):
    store(tmp_path, "a", reference_s=4.0, decoder_s=2.0, depth=4)
    store(tmp_path, "b", reference_s=4.0, decoder_s=4.0, depth=8)
    store(tmp_path, "c", reference_s=4.0, decoder_s=100.0, decoder="wino")
    found = estimates(tmp_path, planned(tmp_path, depth=2))
    assert found.seconds == [pytest.approx(10 * (6 + 8) / 2)]
    assert found.sentence() == "about a minute (from 2 stored runs)"


def test_else_the_reference_of_any_decoder_does_for_both_sides(tmp_path):
    store(tmp_path, "c", reference_s=4.0, decoder_s=100.0, decoder="wino")
    assert estimates(tmp_path, planned(tmp_path)).seconds == [pytest.approx(10 * 8)]


@pytest.mark.parametrize(
    "other", [{"model": "dream"}, {"dtype": "bfloat16"}, {"device_name": "another processor"}], ids=str
)
def test_runs_of_another_model_dtype_or_device_tell_nothing(tmp_path, other):
    store(tmp_path, "a", reference_s=4.0, decoder_s=2.0, **other)
    found = estimates(tmp_path, planned(tmp_path))
    assert found.seconds == [None]
    assert found.sentence() == "not known: the weights are not on this machine yet"


def test_a_device_elsewhere_is_any_of_the_kind_asked_for(tmp_path):
    store(tmp_path, "a", reference_s=4.0, decoder_s=2.0, device="cuda", device_name="a GPU")
    asked = {device: planned(tmp_path, device=device) for device in ("auto", "cuda", "cpu")}
    stored = list(stored_times(tmp_path))
    assert {device: alike_seconds(run, stored, None) is not None for device, run in asked.items()} == {
        "auto": True, "cuda": True, "cpu": False
    }  # fmt: skip


def test_damaged_and_untimed_runs_are_no_evidence(tmp_path):
    store(tmp_path, "a", 4.0, 2.0)
    (tmp_path / "a" / "summary.json").write_text("{")
    store(tmp_path, "b", 4.0, 2.0)
    (tmp_path / "b" / "summary.json").write_text('{"tokens_total": {}, "tokens_per_s": null, "hops": null}')
    store(tmp_path, "c", 4.0, 2.0)
    (tmp_path / "c" / "environment.json").unlink()
    assert list(stored_times(tmp_path)) == []


def test_a_runs_own_responses_tell_more_than_others(tmp_path):
    store(tmp_path, "a", reference_s=4.0, decoder_s=2.0)
    run = planned(tmp_path, stored=2)
    run.folder.mkdir()
    line = {"reference": {"time_s": 30.0}, "decoder": {"time_s": 20.0}, "uncached": {"time_s": 50.0}}
    (run.folder / "samples.jsonl").write_text(2 * (json.dumps(line) + "\n") + '{"torn')
    found = estimates(tmp_path, run)
    assert found.seconds == [pytest.approx(8 * 100)]
    assert found.sentence() == "about 13 minutes (from own responses)"


def test_what_is_known_of_some_runs_only_is_said_so(tmp_path):
    store(tmp_path, "a", reference_s=40.0, decoder_s=20.0)
    found = estimates(tmp_path, planned(tmp_path), planned(tmp_path, model="dream"))
    assert found.sentence() == (
        "about 10 minutes (from 1 stored run), and 1 run of unknown time: the weights are not on this machine yet"
    )


def test_a_guess_that_breaks_keeps_no_grid_from_starting(tmp_path):
    def forward_s(run: PlannedRun) -> float:
        raise RuntimeError("out of memory\nand so on")

    assert estimate([planned(tmp_path)], [], DEVICE, forward_s).sentence() == "not known: out of memory"


def test_what_runs_took_corrects_what_is_left(tmp_path):
    runs = [planned(tmp_path, name=str(depth), depth=depth) for depth in (1, 2, 3)]
    grid = Grid(runs, [0, 1, 2], [], [100.0, 200.0, 300.0])
    assert seconds_left(grid, 0, {}) == 600
    assert seconds_left(grid, 1, {0: 300.0}) == 3 * 500
    assert line_before(grid, 1, {0: 300.0}, in_turn=True) == "run 2 of 3: ssd depth=2 (about 25 minutes left)"
    assert line_before(grid, 1, {0: 300.0}, in_turn=False) == "run 2 of 3: ssd depth=2", "others run beside it"
    unknown = Grid(runs, [0, 1, 2], [], [None, None, None])
    assert seconds_left(unknown, 0, {}) is None
    assert seconds_left(unknown, 1, {0: 300.0}) == 600
