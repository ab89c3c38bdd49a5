"""A float64 copy of a model, where memory allows one: what the weights say when rounding has no part in it."""

from __future__ import annotations

import math
import os
from functools import cached_property
from pathlib import Path

import torch

from ssd.measure import clock
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.transformer import Transformer

BYTES_PER_WEIGHT = 8
MOST_OF_FREE_MEMORY = 0.75
"""The share of free memory that the copy may take: its forwards, and the decoders', need some too."""
GROUPS = Path("/sys/fs/cgroup")


class ExactModel:
    """Makes the copy when it is first asked for, once, on the model's own device."""

    def __init__(self, model: DiffusionModel) -> None:
        self._model = model
        self._peak_before_mib = math.inf
        self._copy_mib = 0.0

    def peak_without_mib(self) -> float:
        """Peak memory (MiB) as it would be without the copy, in which decoders have no part.

        On a CPU, where a peak cannot be forgotten, it stays what it was before the copy was made.
        """
        peak_mib = clock.peak_memory_mib(self._model.device)
        return peak_mib - self._copy_mib if self._model.device.type == "cuda" else min(peak_mib, self._peak_before_mib)

    @cached_property
    def model(self) -> DiffusionModel | None:
        """The weights as they are, all arithmetic in float64; None if memory does not suffice."""
        if self._model.dtype == torch.float64:
            return self._model
        if bytes_needed(self._model) > MOST_OF_FREE_MEMORY * free_bytes(self._model.device):
            return None
        self._peak_before_mib = clock.peak_memory_mib(self._model.device)
        self._copy_mib = bytes_needed(self._model) / 2**20
        with torch.device("meta"):
            transformer = Transformer(self._model.config)
        weights = {name: weight.double() for name, weight in self._model.transformer.state_dict().items()}
        transformer.load_state_dict(weights, assign=True)
        return MaskedDiffusionModel(transformer)


def bytes_needed(model: DiffusionModel) -> int:
    """Bytes that a float64 copy of the weights takes."""
    return BYTES_PER_WEIGHT * sum(weight.numel() for weight in model.transformer.parameters())


def free_bytes(device: torch.device) -> int:
    """Bytes that can still be allocated: on a CUDA device what torch holds in reserve counts, on a host no file cache.

    0 where the system does not tell.
    """
    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserved
    if "SC_AVPHYS_PAGES" not in os.sysconf_names:
        return 0
    return min([os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *bytes_allowed()])


def bytes_allowed(groups: Path = GROUPS, own: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Bytes left under each limit that the process' control groups set: what containers and job schedulers allow.

    Linux, cgroup v2; [] elsewhere.
    """
    if not own.is_file():
        return []
    allowed = []
    for line in own.read_text().splitlines():
        group, is_v2 = groups / line.removeprefix("0::/"), line.startswith("0::/")
        while is_v2 and group != groups.parent:
            limit, used = group / "memory.max", group / "memory.current"
            if limit.is_file() and limit.read_text().strip() != "max":
                allowed.append(max(0, int(limit.read_text()) - int(used.read_text())))
            group = group.parent
    return allowed
