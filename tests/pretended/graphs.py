"""CUDA graphs of the pretended devices, and the pools that their results lie in."""

from weakref import WeakSet

import torch

from tests.modeling.recorded import Recorder


class Graph:
    """What a capture wrote down. A replay loses all that any graph of its pool has given."""

    def pool(self) -> int:
        return self._pool

    def begin(self, pool: int | None) -> None:
        self._pool = len(POOLS) + 1000 if pool is None else pool
        if self._pool in POOLS and not POOLS[self._pool]:
            raise RuntimeError("use_count > 0 INTERNAL ASSERT FAILED: all graphs of this pool are gone")
        POOLS.setdefault(self._pool, WeakSet()).add(self)
        self.recorder = Recorder()

    def replay(self) -> None:
        for graph in POOLS[self._pool]:
            for lost in graph.recorder.owned():
                lost.fill_(torch.nan if lost.is_floating_point() else 0)
        self.recorder.repeat()


POOLS: dict[int, WeakSet[Graph]] = {}
"""Each pool's graphs, as long as they live."""
