"""Whole runs on the second pretended device: engines, numerics and batches, from the command line to the summary."""

import json
from functools import partial

import pytest
import torch

from ssd.commands import bench_forward
from ssd.measure.cost import rules
from ssd.measure.cost.attention import attention_rows
from ssd.measure.cost.floor import Rates
from ssd.measure.instrumentation import ForwardTimer
from tests.effort import some
from tests.models import FAMILIES
from tests.pretended.cuda import pretended_cuda
from tests.runs import lines_of, only_folder

DEVICE = "runtime.device=cuda:1"
GRAPH = "runtime.engine=graph"
SMALL = ("generation.gen_length=8", "generation.block_length=4")


@pytest.fixture
def record():
    with pretended_cuda() as record:
        yield record


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("llada", ["runtime.dtype=bfloat16", GRAPH, "runtime.predict=true"]),
        ("dream", ["runtime.dtype=float32", GRAPH, "runtime.reference=chain"]),
        ("dream", ["runtime.dtype=bfloat16", "runtime.numerics=float64", "runtime.predict=true"]),
        ("llada", ["runtime.dtype=float16", "runtime.numerics=locked", GRAPH]),
        ("llada", ["runtime.timing=false", GRAPH]),
        ("llada", ["runtime.batch_size=2", "generation.temperature=0.5"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_a_run_on_the_second_device_leaves_the_first_alone(record, short_run, tmp_path, family, words):
    summary = short_run(family, "decoder.depth=3", "runtime.limit=2", *SMALL, DEVICE, *words)
    assert summary["identity"]["algorithmic"] == 0
    assert set(record.work) == {1}
    assert torch.cuda.current_device() == 1
    (environment,) = (json.loads(file.read_text()) for file in tmp_path.glob("*/environment.json"))
    assert environment["device_name"] == "pretended"
    assert len(lines_of(only_folder(tmp_path))) == 2


def test_a_timer_keeps_to_its_device_whichever_is_current(record):
    """Batches are decoded by threads of their own, which all begin with the first device."""
    device, module = torch.device("cuda:1"), torch.nn.ReLU()
    values, timer = torch.ones(2, device=device), ForwardTimer(device, module)
    torch.cuda.set_device(0)
    module(values)
    assert timer.take() > 0


@pytest.mark.slow
@pytest.mark.parametrize("family", some(FAMILIES, 2))
def test_forwards_are_timed_on_the_device_that_makes_them(record, checkpoints, tmp_path, monkeypatch, family):
    monkeypatch.setattr(Rates, "measure", lambda model: Rates(1e9, 1e12))  # whose products are a GPU's
    monkeypatch.setattr(bench_forward, "attention_rows", partial(attention_rows, repeats=1))
    monkeypatch.setattr(rules, "REPEATS", 1)
    file = tmp_path / "forward.json"
    words = ["--prompt", "8", "--gen-length", "4", "--block-length", "4", "--nodes", "1,9", "--budget", "0"]
    words += ["--random", "--path", str(checkpoints[family]), "--growth", "4", "--caches", "dual", "--json", str(file)]
    bench_forward.main([*words, "--device", "cuda:1", "--dtype", "bfloat16"])
    written = json.loads(file.read_text())
    assert [row["engine"] for row in written["loops"]] == ["eager"] * 3 + ["graph"] * 3
    # A clock that stands still would leave all of a loop's time outside the model.
    assert all(row["outside"] < 1 for row in written["loops"])
    assert all(None not in row.values() for row in written["attention"])
    assert set(record.work) == {1}
    assert record.kernels["masks copied"] == 0
