"""From a plan to what measures it: model and decoder, warmed up, and what their forwards cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median_high
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ssd.config.plan import Plan
from ssd.config.runtime import DTYPES
from ssd.decoding.settings import Workload
from ssd.measure.cost.model import CostModel, node_grid
from ssd.measure.engines import as_decoded, capture_all, most_nodes_of
from ssd.measure.timing import Question, Stopwatch
from ssd.modeling.checkpoint import load_model
from ssd.modeling.fingerprint import fingerprint
from ssd.modeling.forwards import DiffusionModel
from ssd.run.session import Bench

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Start(NamedTuple):
    """What a bench is made from, beside its plan: where the model lies, and which prompts it will see.

    lengths: tokens of every prompt; measured: what the run measured before, if it is resumed, else nothing.
    """

    model_path: Path
    longest: Question
    lengths: list[int]
    measured: dict[str, Any]


class Models:
    """Loads models, and keeps the last one for the next run that asks for the same."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] | None = None
        self._model: DiffusionModel | None = None

    def get(self, path: Path, device: torch.device, dtype: torch.dtype, numerics: str) -> DiffusionModel:
        """The model as it was loaded; numerics is asked for because float64 converts its weights in place."""
        key = (fingerprint(path), path, device, dtype, numerics == "float64")
        if self._model is None or self._key != key:
            self.forget()  # before the next one needs its memory
            self._model, self._key = load_model(path, device, dtype), key
        return self._model

    def forget(self) -> None:
        """Let go of the model."""
        self._key = self._model = None


def open_bench(models: Models, plan: Plan, start: Start, tokenizer: PreTrainedTokenizerBase) -> Bench:
    """Model and decoder, warmed up if anything is timed. The bench is to be closed, since its hooks watch the model."""
    runtime, path = plan.runtime, start.model_path
    loaded = models.get(path, runtime.torch_device(), DTYPES[runtime.dtype], runtime.numerics)
    model = as_decoded(loaded, runtime.engine, runtime.numerics, plan.reference, plan.decoder)
    plan.decoder.restore(start.measured)
    plan.decoder.load(model, path, plan.settings, Workload(median_high(start.lengths), runtime.batch_size))
    stopwatch = Stopwatch.of(plan, model)
    try:
        if runtime.timing:
            if runtime.engine != "eager":
                most_nodes = most_nodes_of(plan.reference, plan.decoder)
                capture_all(model, plan.settings, plan.special, start.lengths, most_nodes)
            stopwatch.warm_up(start.longest)
        return Bench(plan, model, tokenizer, stopwatch, cost_model(plan, model, start.lengths, start.measured))
    except BaseException:
        stopwatch.close()
        raise


def cost_model(plan: Plan, model: DiffusionModel, lengths: Sequence[int], measured: dict[str, Any]) -> CostModel | None:
    """What the run's forwards cost, as measured when it began, or now; None if nothing is to be predicted."""
    if not plan.runtime.predicts:
        return None
    if measured.get("forwards"):
        return CostModel.from_json(measured["forwards"])
    return CostModel.measure(model, plan.settings, plan.special, list(lengths), node_grid(plan.decoder.most_nodes))
