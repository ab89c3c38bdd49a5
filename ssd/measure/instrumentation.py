"""Models that watch or change how forwards are made, without changing what they compute."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn

from ssd.decoding.decoder import Decoder
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.kv_cache import KVCache, Window


class NodeByNode(MaskedDiffusionModel):
    """The same model, but every node of a forward is evaluated alone: verification without shared rows."""

    def __init__(self, model: MaskedDiffusionModel) -> None:
        self.transformer, self.config = model.transformer, model.config
        self._model = model

    def refresh(self, canvas: Tensor, window: Window) -> tuple[Tensor, KVCache]:
        return self._model.refresh(canvas, window)

    def window(self, states: Tensor, window: Window, context: KVCache | None = None) -> Tensor:
        alone = [self._model.window(state[None], window, context) for state in states]
        return torch.cat(alone)


class LogitsRecorder(MaskedDiffusionModel):
    """The same model, keeping its last logits as they were before the stepping rule worked on them."""

    def __init__(self, model: MaskedDiffusionModel) -> None:
        self.transformer, self.config = model.transformer, model.config
        self._model = model
        self.logits = torch.empty(0)

    def refresh(self, canvas: Tensor, window: Window) -> tuple[Tensor, KVCache]:
        logits, context = self._model.refresh(canvas, window)
        self.logits = logits.to(torch.float64, copy=True)
        return logits, context

    def window(self, states: Tensor, window: Window, context: KVCache | None = None) -> Tensor:
        logits = self._model.window(states, window, context)
        self.logits = logits.to(torch.float64, copy=True)
        return logits


class ForwardCounter:
    """Counts the forwards of a module by a hook, independently of any trace."""

    def __init__(self, module: nn.Module) -> None:
        self.forwards = 0
        self._hook = module.register_forward_hook(self._count)

    def remove(self) -> None:
        """Count no longer."""
        self._hook.remove()

    def _count(self, *_: object) -> None:
        self.forwards += 1


def check_count(decoder: Decoder, reported: int, counted: int) -> None:
    """Raise RuntimeError unless what a decoder reports agrees with the forwards that the model itself has counted."""
    if counted != reported:
        raise RuntimeError(
            f"{type(decoder).__name__} reports {reported} forwards, the model counted {counted}; "
            "every forward must leave one event in the trace"
        )


class ForwardTimer:
    """Adds up the time that modules' forwards take, one after the other, on the device's own clock where it has one."""

    def __init__(self, device: torch.device, *modules: nn.Module) -> None:
        self._device, self._on_device = device, device.type == "cuda"
        self._spans: list[tuple[Any, Any]] = []
        self._begun: Any = None
        self._hooks = [module.register_forward_pre_hook(self._begin) for module in modules]
        self._hooks += [module.register_forward_hook(self._end) for module in modules]

    def remove(self) -> None:
        """Time no longer."""
        for hook in self._hooks:
            hook.remove()

    def take(self) -> float:
        """Seconds since the last call; the device must have finished its work."""
        spans, self._spans = self._spans, []
        if self._on_device:
            return sum(begun.elapsed_time(ended) for begun, ended in spans) / 1e3
        return sum(ended - begun for begun, ended in spans)

    def _begin(self, *_: object) -> None:
        self._begun = self._now()

    def _end(self, *_: object) -> None:
        self._spans.append((self._begun, self._now()))

    def _now(self) -> Any:
        if not self._on_device:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))  # a thread's current device may be another
        return event
