"""The clock waits for the device on both sides of a call."""

import resource
import time

import pytest
import torch

from ssd.measure import clock

CPU = torch.device("cpu")


def test_a_call_is_timed_and_its_result_returned():
    result, seconds = clock.timed(lambda: time.sleep(0.02) or "answer", CPU)
    assert result == "answer"
    assert 0.02 <= seconds < 2


def test_what_is_spent_on_a_cpu_is_computing_and_not_waiting():
    result, seconds = clock.spent(lambda: time.sleep(0.2) or "answer", CPU)
    assert result == "answer"
    assert seconds < 0.2

    def compute():
        begun_s = time.process_time()
        while time.process_time() - begun_s < 0.05:
            pass

    assert clock.spent(compute, CPU)[1] >= 0.05


def test_what_is_spent_on_cuda_is_time_until_its_queue_is_empty(monkeypatch):
    waited = []
    monkeypatch.setattr(clock, "synchronize", waited.append)
    assert clock.spent(lambda: time.sleep(0.02), torch.device("cuda"))[1] >= 0.02
    assert waited == [torch.device("cuda")] * 2


def test_the_device_is_synchronised_right_before_and_after(monkeypatch):
    """With an imaginary device whose queue takes a second to drain: leftovers do not count, the call's work does."""
    now, queued = 0.0, 5.0

    def drain(device):
        nonlocal now, queued
        now, queued = now + queued, 0.0

    def enqueue():
        nonlocal queued
        queued += 1.0

    monkeypatch.setattr(clock, "synchronize", drain)
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    assert clock.timed(enqueue, CPU) == (None, 1.0)


def test_synchronising_touches_cuda_alone(monkeypatch):
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    clock.synchronize(CPU)
    assert waited == []
    clock.synchronize(torch.device("cuda:1"))
    assert waited == [torch.device("cuda:1")]


def test_peak_memory_on_a_cpu_is_that_of_the_process():
    assert 20 < clock.peak_memory_mib(CPU) < 2**20, "in MiB"


@pytest.mark.parametrize(("platform", "mib"), [("linux", 3.0), ("darwin", 3 / 1024)])
def test_the_unit_of_peak_memory_depends_on_the_platform(monkeypatch, platform, mib):
    usage = resource.struct_rusage([0.0, 0.0, 3 * 1024, *[0] * 13])
    monkeypatch.setattr(resource, "getrusage", lambda who: usage)
    monkeypatch.setattr(clock.sys, "platform", platform)
    assert clock.peak_memory_mib(CPU) == mib
