"""A float64 copy of a model, where memory allows one: its logits are free of the run's rounding."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

import torch

from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.transformer import Transformer

BYTES_PER_WEIGHT = 8
MOST_OF_FREE_MEMORY = 0.75
"""Largest share of free memory for the copy: its forwards, and the decoders', need memory too."""
GROUPS = Path("/sys/fs/cgroup")


class ExactModel:
    """Makes the copy once, when it is first needed, on the model's own device."""

    def __init__(self, model: DiffusionModel) -> None:
        self._model = model

    @cached_property
    def model(self) -> DiffusionModel | None:
        """The same weights, all arithmetic in float64; None if memory does not suffice."""
        if self._model.dtype == torch.float64:
            return self._model
        if bytes_needed(self._model) > MOST_OF_FREE_MEMORY * free_bytes(self._model.device):
            return None
        with torch.device("meta"):
            transformer = Transformer(self._model.config)
        weights = {name: weight.double() for name, weight in self._model.transformer.state_dict().items()}
        transformer.load_state_dict(weights, assign=True)
        return MaskedDiffusionModel(transformer)


def bytes_needed(model: DiffusionModel) -> int:
    """Return the bytes of a float64 copy of the weights."""
    return BYTES_PER_WEIGHT * sum(weight.numel() for weight in model.transformer.parameters())


def free_bytes(device: torch.device) -> int:
    """Return the bytes that can still be allocated; 0 where the system has no such figure.

    On a CUDA device torch's reserve counts as free; on a host the file cache does not.
    """
    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserved
    if "SC_AVPHYS_PAGES" not in os.sysconf_names:
        return 0
    return min([os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *bytes_allowed()])


def bytes_allowed(groups: Path = GROUPS, own: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Return the bytes left under each limit of the process' control groups, which containers and schedulers set.

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
