"""Ray as workers need it: a cluster of this machine's own or a given one, and actors with a device each."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ssd.campaign.workers.worker import Worker
from ssd.config.plan import Plan
from ssd.extras import extra

STORE_BYTES = 256 * 2**20
"""Size of Ray's object store: messages are small."""


@dataclass(frozen=True)
class Needs:
    """Requirements for the workers of a run; runs with the same needs share them.

    on_gpu: whether each has a GPU; threads: CPU cores of each; workers: their number, None for all that have room.
    """

    on_gpu: bool
    threads: int
    workers: int | None
    address: str | None

    @classmethod
    def of(cls, plan: Plan) -> Needs:
        runtime = plan.runtime
        return cls(runtime.torch_device().type == "cuda", runtime.threads or 1, runtime.workers, runtime.address)

    def require_same(self, others: Needs) -> None:
        """Raise ValueError if the running workers were started for other needs."""
        if self != others:
            raise ValueError(
                f"{self} is not what the workers of this sweep were started with ({others}); sweep over "
                "runtime.device, .threads, .workers and .address in lines of their own"
            )


class Cluster:
    """A connection to Ray. Raises ModuleNotFoundError, ConnectionError or ValueError in one line."""

    def __init__(self, needs: Needs) -> None:
        self._ray, self._needs = import_ray(), needs
        self._is_ours = not self._ray.is_initialized()
        if self._is_ours:
            _connect(self._ray, needs.address)
        try:
            self.size = size(needs, self._ray.cluster_resources())
        except ValueError:
            self.close()
            raise

    def actor(self) -> Any:
        """Return a new actor: a `Worker` in its own process, which Ray does not restart."""
        needs = self._needs
        actor = self._ray.remote(num_cpus=needs.threads, num_gpus=int(needs.on_gpu), max_restarts=0)(Worker)
        return actor.remote(needs.threads)

    def close(self) -> None:
        """Disconnect from Ray; a cluster of our own ends with all its processes."""
        if self._is_ours:
            self._ray.shutdown()


def import_ray() -> ModuleType:
    """Return the module. Raises ModuleNotFoundError in one line if Ray is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to Ray's makers
    with extra("ray", "runtime=ray", "pass runtime.workers=0"):
        import ray
    return ray


def size(needs: Needs, resources: dict[str, float]) -> int:
    """Return the number of workers. Raises ValueError if the cluster has no room for them."""
    cores = int(resources.get("CPU", 0) // needs.threads)
    room = min(cores, int(resources.get("GPU", 0))) if needs.on_gpu else cores
    kind = f"a GPU and {needs.threads} cores" if needs.on_gpu else f"{needs.threads} cores"
    if room < (needs.workers or 1):
        raise ValueError(
            f"runtime.workers={needs.workers}: there is room for {room} workers with {kind} each; pass "
            f"runtime.workers={room} or less, a smaller runtime.threads, or the runtime.address of a larger cluster"
        )
    return needs.workers or room


def _connect(ray: ModuleType, address: str | None) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address is None:
            ray.init("local", include_dashboard=False, object_store_memory=STORE_BYTES, **quiet)
        else:
            ray.init(address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        where = "Ray does not start on this machine" if address is None else f"no Ray cluster answers at {address}"
        raise ConnectionError(
            f"runtime.address={address}: {where} ({reason}); pass the address of a running cluster (ray start --head), "
            "or runtime.workers=0"
        ) from error
