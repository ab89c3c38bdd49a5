"""Models that watch or change how forwards are made, without changing what they compute."""

from __future__ import annotations

import torch
from torch import Tensor

from ssd.modeling.context import Context, Window
from ssd.modeling.dllm import MaskedDiffusionModel


class OneByOne(MaskedDiffusionModel):
    """The same model, but every node of a forward is evaluated alone: verification without shared rows."""

    def __init__(self, model: MaskedDiffusionModel) -> None:
        self.transformer, self.config = model.transformer, model.config

    def window(self, states: Tensor, window: Window, context: Context | None = None) -> Tensor:
        alone = [MaskedDiffusionModel.window(self, state[None], window, context) for state in states]
        return torch.cat(alone)


class Recorder(MaskedDiffusionModel):
    """The same model, keeping its last logits as they were before the stepping rule worked on them."""

    def __init__(self, model: MaskedDiffusionModel) -> None:
        self.transformer, self.config = model.transformer, model.config
        self.logits = torch.empty(0)

    def _predict(self, hidden: Tensor, start: int, window: Window) -> Tensor:
        logits = super()._predict(hidden, start, window)
        self.logits = logits.to(torch.float64, copy=True)
        return logits


class ForwardCounter:
    """Counts the forwards of a transformer by a hook, independently of any trace."""

    def __init__(self, model: MaskedDiffusionModel) -> None:
        self.forwards = 0
        model.transformer.register_forward_hook(self._count)

    def _count(self, *_: object) -> None:
        self.forwards += 1
