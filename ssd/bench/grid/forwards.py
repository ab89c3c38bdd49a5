"""What a run would take if every decoder were stepwise decoding: from forwards of the very model, measured here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ssd.bench.checks import check_model, render_all
from ssd.bench.cost.forwards import Shape
from ssd.bench.cost.model import CostModel
from ssd.bench.numerics import with_numerics
from ssd.bench.plan import Plan
from ssd.bench.runtime import DTYPES
from ssd.modeling.checkpoint import HUB_FILES, load_model, load_tokenizer, local_folder, read_config
from ssd.modeling.dllm import MaskedDiffusionModel

BUDGET_S = 0.5


class ForwardTimes:
    """Measures each model and shape once; keeps one model at a time, until `forget`."""

    def __init__(self) -> None:
        self._loaded: tuple[Any, MaskedDiffusionModel] | None = None
        self._seconds: dict[Any, float] = {}

    def seconds(self, plan: Plan) -> float:
        """Seconds per response of all sides, at the longest prompt, as if the decoder were stepwise decoding too.

        Raises FileNotFoundError if the weights are not on this machine, and what loading a model and a forward raise.
        """
        model, settings = plan.config["model"], plan.settings
        key = (
            model["path"], model["revision"], plan.runtime.dtype, plan.runtime.numerics, str(plan.runtime.device),
            plan.runtime.threads, plan.runtime.reference, plan.config["task"]["sha256"], settings,
        )  # fmt: skip
        if key not in self._seconds:
            self._seconds[key] = self._measure(key[:5], plan)
        return self._seconds[key]

    def forget(self) -> None:
        """Make room for the runs' own model."""
        self._loaded = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _measure(self, which: Any, plan: Plan) -> float:
        model_path = _folder_here(plan.config["model"]["path"], plan.config["model"]["revision"])
        prompts = render_all(plan, load_tokenizer(model_path), check_model(plan, read_config(model_path)))
        longest = max(map(len, prompts))
        threads = torch.get_num_threads()
        torch.set_num_threads(plan.runtime.threads or threads)
        try:
            if self._loaded is None or self._loaded[0] != which:
                self.forget()
                model = load_model(model_path, plan.runtime.torch_device(), DTYPES[plan.runtime.dtype])
                self._loaded = which, with_numerics(model, plan.runtime.numerics, plan.reference, plan.decoder)
            cost = CostModel.measure(self._loaded[1], plan.settings, plan.special, [longest], [1], BUDGET_S)
        finally:
            torch.set_num_threads(threads)
        return _response_s(plan, cost)


def _response_s(plan: Plan, cost: CostModel) -> float:
    """All sides' seconds: each block's first forward, and a window forward for every further step.

    Where nothing is timed, the reference's responses are shared, and workers divide the rest among them.
    """
    blocks, steps = plan.settings.blocks, plan.settings.steps_per_block
    first_s = sum(cost.forward_s(Shape(0, block, cost.lengths[0])) for block in range(blocks))
    window_s = sum(cost.forward_s(Shape(1, block, cost.lengths[0])) for block in range(blocks)) * (steps - 1)
    uncached_s = first_s * steps if plan.runtime.reference == "chain" else 0.0
    if not plan.runtime.timing:
        return (first_s + window_s) / max(1, plan.runtime.workers or 1)
    return 2 * (first_s + window_s) + uncached_s


def _folder_here(path: str, revision: str | None) -> Path:
    """A checkpoint's folder, downloaded before or not at all: an estimate is not worth gigabytes."""
    folder = local_folder(path)
    if folder:
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(path, revision=revision, allow_patterns=HUB_FILES, local_files_only=True))
    except (OSError, ValueError) as error:
        raise FileNotFoundError(f"the weights of {path} are not on this machine yet") from error
