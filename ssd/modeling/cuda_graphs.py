"""Captures of static forwards: as CUDA graphs or uncaptured, with compiled layers if wanted."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakSet

import torch
from torch import Tensor

from ssd.modeling.static_shapes import Steps
from ssd.modeling.transformer import Layer

WARM_UPS = 3
"""Runs before a capture. In them libraries choose kernels and allocate workspaces."""


class CudaGraphs:
    """Capture computations as CUDA graphs that share one pool of memory.

    A replay's result is in that pool. It is valid until the next replay of any of the graphs.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._living: WeakSet[torch.cuda.CUDAGraph] = WeakSet()

    def __call__(self, compute: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """Return a function that replays `compute`, which reads static tensors and never waits for the host."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):  # the capture's own stream: libraries keep handles per stream
            for _ in range(WARM_UPS):
                compute()
        current.wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        # A pool ends with its last graph. Torch refuses to reuse it while any tensor is still in it.
        pool = next((living.pool() for living in self._living), None)
        with torch.cuda.graph(graph, pool=pool, stream=self._stream):
            output = compute()
        self._living.add(graph)

        def replay() -> Tensor:
            graph.replay()
            return output

        return replay


def as_it_is(compute: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Run the computation once, so that it is compiled, and return it."""
    compute()
    return compute


def compiled_steps() -> Steps:
    """Return a layer's work before and after attention, compiled once for all layers of a shape.

    Earlier compilations are dropped. Torch limits their number per process, and a few families and dtypes reach it.
    """
    torch.compiler.reset()
    return torch.compile(Layer.project, fullgraph=True), torch.compile(Layer.finish, fullgraph=True)
