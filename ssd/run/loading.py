"""Load what a run decodes with: its model in the run's engine and numerics, and its decoder."""

from __future__ import annotations

from pathlib import Path
from statistics import median_high
from typing import Any, NamedTuple

import torch

from ssd.config.plan import Plan
from ssd.config.runtime import DTYPES
from ssd.decoding.settings import Workload
from ssd.measure.engines import as_decoded
from ssd.measure.timing import Question
from ssd.modeling.checkpoint import load_model
from ssd.modeling.fingerprint import fingerprint
from ssd.modeling.forwards import DiffusionModel
from ssd.run.progress import Tell, silent


class Start(NamedTuple):
    """What a run is loaded from, beside its plan.

    model_path: folder of the checkpoint; longest: the question with the longest prompt; lengths: tokens of every
    prompt; measured: contents of measured.json, {} in a new run.
    """

    model_path: Path
    longest: Question
    lengths: list[int]
    measured: dict[str, Any]


class Loaded(NamedTuple):
    """A run whose model and decoder are in memory."""

    plan: Plan
    start: Start
    model: DiffusionModel


class Models:
    """Loads models, and keeps the last one for the next run that asks for the same."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] | None = None
        self._model: DiffusionModel | None = None

    def get(
        self,
        path: Path,
        device: torch.device,
        dtype: torch.dtype,
        numerics: str,
        block_length: int | None = None,
        tell: Tell = silent,
    ) -> DiffusionModel:
        """Return the model as it was loaded; `numerics` matters because float64 converts its weights in place.

        block_length: of block-causal attention, for a config.json without it.

        tell: prints a line before the weights are read, which may take minutes.
        """
        key = (fingerprint(path), path, device, dtype, numerics == "float64", block_length)
        if self._model is None or self._key != key:
            tell(f"loading {path} on {device}")
            self.forget()  # before the next one needs its memory
            self._model, self._key = load_model(path, device, dtype, block_length), key
        return self._model

    def forget(self) -> None:
        """Let go of the model."""
        self._key = self._model = None


def load_run(models: Models, plan: Plan, start: Start, tell: Tell = silent) -> Loaded:
    """Return the run with its model and its loaded decoder; a resumed run's decoder gets its stored measurements."""
    runtime, path = plan.runtime, start.model_path
    wanted = runtime.torch_device(), DTYPES[runtime.dtype], runtime.numerics, plan.settings.causal_block
    weights = models.get(path, *wanted, tell)
    model = as_decoded(weights, runtime.engine, runtime.numerics, plan.reference, plan.decoder)
    plan.decoder.restore(start.measured)
    plan.decoder.load(model, path, plan.settings, Workload(median_high(start.lengths), runtime.batch_size))
    return Loaded(plan, start, model)
