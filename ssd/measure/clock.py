"""Timing that means something: a monotonic clock with the device synchronised on both sides."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")


def timed(call: Callable[[], Result], device: torch.device) -> tuple[Result, float]:
    """The call's result and its wall-clock seconds, all work queued on the device included."""
    synchronize(device)
    start_s = time.perf_counter()
    result = call()
    synchronize(device)
    return result, time.perf_counter() - start_s


def spent(call: Callable[[], Result], device: torch.device) -> tuple[Result, float]:
    """The call's result and the seconds it took of a processor, all threads' together; wall-clock ones on CUDA.

    A machine with other work makes a call wait, but hardly compute more: where only the price is asked for, on a CPU.
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
    """Let the peak begin anew where the device allows it, so that runs of one process do not inherit each other's."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mib(device: torch.device) -> float:
    """Peak memory so far: of torch's allocator on a CUDA device, of the whole process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
