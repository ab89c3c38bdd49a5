"""The time of a run as if its decoder were stepwise decoding, from measured forwards of its model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from ssd.campaign.workers.cluster import Needs, size
from ssd.config.plan import Plan
from ssd.config.runtime import DTYPES
from ssd.decoding.cache_policy import POLICIES
from ssd.measure.cost.forwards import Shape, blocks_begun_apart
from ssd.measure.cost.model import CostModel
from ssd.measure.engines import as_decoded, most_nodes_of
from ssd.modeling.checkpoint import HUB_FILES, local_folder
from ssd.run.checks import prepare
from ssd.run.device_lock import DeviceHeldError, device_lock
from ssd.run.job import threads
from ssd.run.loading import Models

BUDGET_S = 0.5


class ForwardTimes:
    """Measures each model and shape once; keeps one model at a time, until `forget`."""

    def __init__(self) -> None:
        self._models = Models()
        self._costs: dict[Any, CostModel] = {}

    def seconds(self, plan: Plan) -> float:
        """Return seconds per response of all sides, at the longest prompt, as if the decoder were stepwise decoding.

        Raises FileNotFoundError if the weights are not on this machine, DeviceHeldError if another process measures on
        the device, ValueError if there is no estimate, and the errors of loading a model and of a forward.
        """
        model, runtime = plan.config["model"], plan.runtime
        if runtime.engine == "compile":
            raise ValueError("runtime.engine=compile: nothing is compiled for an estimate")
        if not POLICIES[plan.settings.cache].has_plain_windows:
            raise ValueError(
                f"generation.cache={plan.settings.cache}: its forwards differ, so that there is no estimate"
            )
        is_fixed = runtime.engine != "eager" or runtime.numerics == "locked"  # the shape of forwards
        key = (
            model["path"], model["revision"], runtime.dtype, runtime.numerics, runtime.engine, runtime.device,
            threads(plan), runtime.batch_size, plan.config["task"]["sha256"], plan.settings,
            most_nodes_of(plan.reference, plan.decoder) if is_fixed else None,
        )  # fmt: skip
        if key not in self._costs:
            self._costs[key] = self._measure(plan)
        return _response_s(plan, self._costs[key])

    def forget(self) -> None:
        """Free the memory for the model of the runs."""
        self._models.forget()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _measure(self, plan: Plan) -> CostModel:
        model_path = _folder_here(plan.config["model"]["path"], plan.config["model"]["revision"])
        longest, runtime = max(map(len, prepare(plan, model_path).prompts)), plan.runtime
        threads_before = torch.get_num_threads()
        torch.set_num_threads(threads(plan))
        try:
            with device_lock(runtime.torch_device(), False, "an estimate", tell=None):
                wanted = runtime.torch_device(), DTYPES[runtime.dtype], runtime.numerics, plan.settings.causal_block
                loaded = self._models.get(model_path, *wanted)
                model = as_decoded(loaded, runtime.engine, runtime.numerics, plan.reference, plan.decoder)
                nodes = [runtime.batch_size]  # a forward of a batch costs about as much as one of as many nodes
                return CostModel.measure(model, plan.settings, plan.special, [longest], nodes, BUDGET_S)
        except DeviceHeldError as error:
            raise DeviceHeldError(str(error).partition(";")[0]) from error
        finally:
            torch.set_num_threads(threads_before)


def _response_s(plan: Plan, cost: CostModel) -> float:
    """Return the seconds of all sides: the first forwards of blocks, and a window forward per further step.

    An untimed run shares the responses of its reference, so that one side is decoded.
    """
    blocks, steps, batch_size = plan.settings.blocks, plan.settings.steps_per_block, plan.runtime.batch_size
    begun, length = blocks_begun_apart(plan.settings), cost.lengths[0]
    first_s = [cost.forward_s(Shape(0, block, length)) for block in range(blocks)]
    windows_s = [cost.forward_s(Shape(batch_size, block, length)) for block in range(blocks)]
    window_s = sum(seconds * (steps - (block < begun)) for block, seconds in enumerate(windows_s)) / batch_size
    side_s = sum(first_s[:begun]) + window_s
    uncached_s = sum(first_s) * steps if plan.runtime.reference == "chain" else 0.0
    sides_s = 2 * side_s + uncached_s if plan.runtime.timing else side_s
    return sides_s / _at_a_time(plan)


def _at_a_time(plan: Plan) -> int:
    """Return the number of responses, or of batches, that workers decode at the same time."""
    runtime, needs = plan.runtime, Needs.of(plan)
    if runtime.in_process or (runtime.timing and not needs.on_gpu):
        return 1
    if runtime.workers:
        return runtime.workers
    if runtime.address is not None:
        raise ValueError(f"the number of workers at {runtime.address} is not known yet")
    return size(needs, {"CPU": os.cpu_count() or 1, "GPU": torch.cuda.device_count()})


def _folder_here(path: str, revision: str | None) -> Path:
    """Return a checkpoint's folder. Nothing is downloaded for an estimate. Raises FileNotFoundError."""
    folder = local_folder(path)
    if folder:
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(path, revision=revision, allow_patterns=HUB_FILES, local_files_only=True))
    except (OSError, ValueError) as error:
        raise FileNotFoundError(f"the weights of {path} are not on this machine yet") from error
