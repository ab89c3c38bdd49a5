"""How a static forward is repeated: as a CUDA graph, or as it is; and its layers compiled."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakSet

import torch
from torch import Tensor

from ssd.modeling.static_shapes import Steps
from ssd.modeling.transformer import Layer

WARM_UPS = 3
"""Runs before a capture, in which libraries choose their kernels and take their workspaces."""


class CudaGraphs:
    """Captures computations as CUDA graphs that share one pool of memory.

    What a replay returns lies in that pool: it is valid until the next replay of any of them.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._living: WeakSet[torch.cuda.CUDAGraph] = WeakSet()

    def __call__(self, compute: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """What replays `compute`, which reads static tensors, and neither asks the host nor tells it anything."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):  # where the capture follows: handles are kept per stream
            for _ in range(WARM_UPS):
                compute()
        current.wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        # A pool goes with its last graph, and torch refuses to take it again as long as anything still lies in it.
        pool = next((living.pool() for living in self._living), None)
        with torch.cuda.graph(graph, pool=pool, stream=self._stream):
            output = compute()
        self._living.add(graph)

        def replay() -> Tensor:
            graph.replay()
            return output

        return replay


def as_it_is(compute: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """The computation itself, made once, so that what it compiles is compiled."""
    compute()
    return compute


def compiled_steps() -> Steps:
    """What a layer does before and after attention, compiled once for all layers of a shape.

    What was compiled before is let go of: torch counts it against a limit that holds for the life of a process, and a
    few families and dtypes would reach it.
    """
    torch.compiler.reset()
    return torch.compile(Layer.project, fullgraph=True), torch.compile(Layer.finish, fullgraph=True)
