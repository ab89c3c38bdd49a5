"""Runs that other machines carry out: planned without a look at this one's devices, found under what theirs were."""

import pytest
import torch

from ssd.campaign.planned_run import PlannedRun
from ssd.config.plan import make_plan
from ssd.results.run_id import run_id
from tests.runs import composed

GRAPH = "runtime.engine=graph"


@pytest.fixture(autouse=True)
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)


@pytest.mark.parametrize("words", [["runtime.device=cuda"], ["runtime.device=cuda:3", GRAPH], [GRAPH]], ids=str)
def test_only_the_machine_that_makes_a_run_must_have_its_device(words):
    with pytest.raises(ValueError, match="CUDA"):
        make_plan(composed(*words))
    make_plan(composed(*words), is_here=False)


@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_a_run_whose_device_is_chosen_elsewhere_is_found_under_either(tmp_path, device):
    words = (f"results_dir={tmp_path}", "decoder.depth=2")
    planned = PlannedRun.of(make_plan(composed(*words), is_here=False))
    assert not planned.is_done
    config = make_plan(composed(*words, f"runtime.device={device}"), is_here=False).config
    folder = tmp_path / run_id(config)
    folder.mkdir()
    (folder / "samples.jsonl").write_text("{}\n" * planned.responses)
    (folder / "done.json").write_text("{}")
    assert planned.folder == folder, "also where it came after the grid was planned"
    assert PlannedRun.of(make_plan(composed(*words), is_here=False)).is_done
    (folder / "samples.jsonl").write_text("{}\n" * (planned.responses - 1))
    assert PlannedRun.of(make_plan(composed(*words), is_here=False)).left == 1, "a deleted line is measured again"
    other = {"cuda": "cpu", "cpu": "cuda"}[device]
    explicit = make_plan(composed(*words, f"runtime.device={other}"), is_here=False)
    assert not PlannedRun.of(explicit).is_done, "another device is another run"
