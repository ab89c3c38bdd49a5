"""What a measured forward stands for: runs whose forwards differ are measured apart, and no timing is disturbed."""

import os
from types import SimpleNamespace

import pytest
import torch

from ssd.campaign import forward_times as forwards
from ssd.campaign.forward_times import ForwardTimes
from ssd.config.plan import make_plan
from ssd.decoding.cache_policy import POLICIES, plain_caches
from ssd.measure.cost.model import CostModel
from ssd.run.device_lock import DeviceHeldError, device_lock
from tests.runs import composed, short_words

LOCKED = "runtime.numerics=locked"


@pytest.fixture
def planned(checkpoints, tmp_path):
    return lambda *words: make_plan(composed(*short_words(checkpoints["llada"], "llada", tmp_path), *words))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one", "other", "measured"),
    [
        (["decoder.depth=2"], ["decoder.depth=3"], 1),
        ([LOCKED, "decoder.depth=2"], [LOCKED, "decoder.depth=3"], 2),
        (["runtime.batch_size=1"], ["runtime.batch_size=2"], 2),
        (["runtime.timing=true"], ["runtime.timing=false"], 1),
    ],
)
def test_forwards_are_measured_once_for_each_shape(planned, monkeypatch, one, other, measured):
    calls, measure = [], CostModel.measure

    def counted(*words):
        calls.append(words)
        return measure(*words)

    monkeypatch.setattr(CostModel, "measure", counted)
    times = ForwardTimes()
    assert all(times.seconds(planned(*words)) > 0 for words in (one, other, one))
    assert len(calls) == measured


def test_what_is_not_timed_has_half_the_sides(planned):
    times = ForwardTimes()
    timed, untimed = (times.seconds(planned(f"runtime.timing={timing}")) for timing in ("true", "false"))
    assert timed == 2 * untimed


@pytest.mark.parametrize("cache", [cache for cache in plain_caches("prompt") if POLICIES[cache].refreshes])
def test_a_refresh_costs_as_often_as_the_cache_makes_one(planned, cache):
    refreshes = 4 if POLICIES[cache].refreshes == "block" else 1
    cost = SimpleNamespace(lengths=[80], forward_s=lambda shape: 1.0 if shape.nodes else 100.0)
    lengths = ("generation.gen_length=32", "generation.block_length=8")
    plan = planned(f"generation.cache={cache}", "runtime.timing=false", *lengths)
    assert forwards._response_s(plan, cost) == 100 * refreshes + 32 - refreshes


def test_a_device_that_others_time_on_is_left_alone(planned):
    with device_lock(torch.device("cpu"), True, "a timing run"), pytest.raises(DeviceHeldError) as caught:
        ForwardTimes().seconds(planned())
    assert str(caught.value) == f"cpu is in use by process {os.getpid()} (a timing run)"


def test_workers_divide_the_responses(planned, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    workers = ("runtime=ray", "runtime.timing=false")
    assert forwards._at_a_time(planned(*workers)) == 8
    assert forwards._at_a_time(planned(*workers, "runtime.threads=2")) == 4
    assert forwards._at_a_time(planned(*workers, "runtime.workers=3")) == 3
    assert forwards._at_a_time(planned("runtime=ray")) == 1, "on a CPU what is timed is alone"
    with pytest.raises(ValueError, match="the number of workers at auto is not known"):
        forwards._at_a_time(planned(*workers, "runtime.address=auto"))


def test_nothing_is_compiled_for_an_estimate(planned):
    with pytest.raises(ValueError, match=r"runtime\.engine=compile: nothing is compiled"):
        ForwardTimes().seconds(planned("runtime.engine=compile"))
