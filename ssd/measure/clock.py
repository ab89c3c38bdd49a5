"""Timing by a monotonic clock, with the device synchronised on both sides; peak memory."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")


def timed(call: Callable[[], Result], device: torch.device) -> tuple[Result, float]:
    """Return the call's result and its wall-clock seconds, all work queued on the device included."""
    synchronize(device)
    start_s = time.perf_counter()
    result = call()
    synchronize(device)
    return result, time.perf_counter() - start_s


def spent(call: Callable[[], Result], device: torch.device) -> tuple[Result, float]:
    """Return the call's result and its processor seconds, summed over threads; wall-clock seconds on CUDA.

    Other work on the machine makes a call wait, but hardly changes its processor time.
    """
    if device.type == "cuda":
        return timed(call, device)
    start_s = time.process_time()
    result = call()
    return result, time.process_time() - start_s


def synchronize(device: torch.device) -> None:
    """Wait for all work queued on a CUDA device; a CPU has none."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def reset_peak_memory(device: torch.device) -> None:
    """Start a new peak where the device allows it, so that runs of one process do not inherit each other's."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mib(device: torch.device) -> float:
    """Return peak memory so far in MiB: of torch's allocator on a CUDA device, of the whole process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
