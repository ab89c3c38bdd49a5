"""torch.cuda as a machine with two devices has it, for tensors that only pretend to lie there."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch

from tests.pretended.graphs import POOLS, Graph
from tests.pretended.record import RECORD, Record
from tests.pretended.tensors import OnDevice

DEVICES = 2
FREE_BYTES = 2**34


class Stream:
    """A queue of one device's work."""

    def __init__(self, device: Any = None) -> None:
        self.device = RECORD.index(torch.device("cuda" if device is None else device))

    def wait_stream(self, other: "Stream") -> None:
        if other.device != self.device:
            raise RuntimeError(f"{self.device} waits for {other.device}")


class Event:
    """A moment on a stream's device, whose clock counts its operations as milliseconds."""

    def __init__(self, enable_timing: bool = False) -> None:
        if not enable_timing:
            raise RuntimeError("an event that times nothing")

    def record(self, stream: Stream | None = None) -> None:
        self.device = RECORD.current if stream is None else stream.device.index
        self.at = RECORD.work[self.device]

    def elapsed_time(self, later: "Event") -> float:
        if later.device != self.device:
            raise RuntimeError("events of two devices")
        return float(later.at - self.at)


@contextmanager
def capture(graph: Graph, pool: int | None = None, stream: Stream | None = None) -> Iterator[None]:
    """As torch.cuda.graph: on the stream's device, which nothing may leave."""
    with on_stream(stream or Stream()):
        graph.begin(pool)
        RECORD.capturing = True
        try:
            with graph.recorder:
                yield
        finally:
            RECORD.capturing = False


@contextmanager
def on_stream(stream: Stream) -> Iterator[None]:
    """As torch.cuda.stream, which changes the device too."""
    before, RECORD.current = RECORD.current, stream.device.index
    try:
        yield
    finally:
        RECORD.current = before


def set_device(device: Any) -> None:
    RECORD.current = device if isinstance(device, int) else RECORD.index(torch.device(device)).index


def wait(device: Any = None) -> None:
    """As torch.cuda.synchronize."""
    if RECORD.capturing:
        raise RuntimeError("synchronize cannot be captured")


def properties(device: Any = None) -> SimpleNamespace:
    return SimpleNamespace(uuid=f"pretended-{RECORD.index(torch.device(device or 'cuda')).index}")


RUN_THREAD = threading.Thread.run


class Generator(torch.Generator):
    """One of the host's, whatever device is asked for."""

    def __new__(cls, device: Any = None) -> "Generator":
        return super().__new__(cls)


def run_on_device(thread: threading.Thread) -> None:
    """Modes hold for the thread that they were entered in."""
    with OnDevice():
        RUN_THREAD(thread)


DOUBLES: dict[str, Any] = {
    "is_available": lambda: True,
    "device_count": lambda: DEVICES,
    "current_device": lambda: RECORD.current,
    "set_device": set_device,
    "get_device_capability": lambda device=None: (9, 0),
    "get_device_name": lambda device=None: "pretended",
    "get_device_properties": properties,
    "synchronize": wait,
    "empty_cache": lambda: None,
    "reset_peak_memory_stats": lambda device=None: None,
    "max_memory_allocated": lambda device=None: 2**20,
    "memory_reserved": lambda device=None: 0,
    "memory_allocated": lambda device=None: 0,
    "mem_get_info": lambda device=None: (FREE_BYTES, FREE_BYTES),
    "Stream": Stream,
    "Event": Event,
    "current_stream": Stream,
    "stream": on_stream,
    "graph_pool_handle": lambda: len(POOLS),
    "CUDAGraph": Graph,
    "graph": capture,
}


@contextmanager
def pretended_cuda() -> Iterator[Record]:
    """Within it, CUDA devices are there for this thread."""
    from ssd.decoding import scoring
    from ssd.modeling import fused_attention as fused

    RECORD.__init__()
    POOLS.clear()
    overwrite = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        threads = patch.object(threading.Thread, "run", run_on_device)
        with patch.multiple(torch.cuda, **DOUBLES), patch.object(torch, "Generator", Generator), threads, OnDevice():
            yield RECORD
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(overwrite)
        scoring._ids.cache_clear()
        fused.has_flash.cache_clear()
