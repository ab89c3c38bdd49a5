"""Instrumentation of models: wrappers and hooks that record, count and time forwards, with unchanged results."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ssd.decoding.decoder import Decoder
from ssd.modeling.feature_cache import FeatureCache, Renewal
from ssd.modeling.forwards import Context, DelegatingModel, DiffusionModel
from ssd.modeling.growing_kv_cache import GrowingKVCache
from ssd.modeling.kv_cache import KVCache, Window
from ssd.modeling.path_kv_cache import PackedRows, PathKVCache


class NodeByNode(DelegatingModel):
    """The same model, but every node of a window forward is computed alone: verification without shared rows."""

    def window(self, states: Tensor, window: Window, kv_cache: Context | None = None) -> Tensor:
        return torch.cat([self.inner.window(state[None], window, kv_cache) for state in states])

    def append(
        self, tokens: Tensor, kv_cache: GrowingKVCache, states: Tensor | None = None, window: Window | None = None
    ) -> Tensor:
        if states is None:
            return self.inner.append(tokens, kv_cache)
        logits: list[Tensor] = []
        for state in states:
            kv_cache.rewind(kv_cache.size if not logits else kv_cache.size - len(tokens))
            logits.append(self.inner.append(tokens, kv_cache, state[None], window))
        return torch.cat(logits)

    def recompute(self, rows: PackedRows, kv_cache: PathKVCache) -> Tensor:
        kv_cache.reserve(rows.stop)
        return torch.cat([self.inner.recompute(rows.alone(node), kv_cache) for node in range(rows.nodes)])


class LogitsRecorder(DelegatingModel):
    """The same model, with a float64 copy of the last forward's logits, unchanged by the stepping rule."""

    def __init__(self, inner: DiffusionModel) -> None:
        super().__init__(inner)
        self.last_logits = torch.empty(0)

    def refresh(self, canvas: Tensor, window: Window, kv_cache: KVCache | None = None) -> tuple[Tensor, KVCache]:
        logits, filled = self.inner.refresh(canvas, window, kv_cache)
        self.last_logits = logits.to(torch.float64, copy=True)
        return logits, filled

    def window(self, states: Tensor, window: Window, kv_cache: Context | None = None) -> Tensor:
        logits = self.inner.window(states, window, kv_cache)
        self.last_logits = logits.to(torch.float64, copy=True)
        return logits

    def append(
        self, tokens: Tensor, kv_cache: GrowingKVCache, states: Tensor | None = None, window: Window | None = None
    ) -> Tensor:
        logits = self.inner.append(tokens, kv_cache, states, window)
        self.last_logits = logits.to(torch.float64, copy=True)
        return logits

    def recompute(self, rows: PackedRows, kv_cache: PathKVCache) -> Tensor:
        logits = self.inner.recompute(rows, kv_cache)
        self.last_logits = logits.to(torch.float64, copy=True)
        return logits

    def renew(self, canvas: Tensor, window: Window, features: FeatureCache, renewal: Renewal) -> Tensor:
        logits = self.inner.renew(canvas, window, features, renewal)
        self.last_logits = logits.to(torch.float64, copy=True)
        return logits


class ForwardCounter:
    """Count the forwards of a module by a hook, independently of any trace."""

    def __init__(self, module: nn.Module) -> None:
        self.forwards = 0
        self._hook = module.register_forward_hook(self._count)

    def remove(self) -> None:
        """Stop counting."""
        self._hook.remove()

    def _count(self, *_: object) -> None:
        self.forwards += 1


def check_count(decoder: Decoder, reported: int, counted: int) -> None:
    """Raise RuntimeError unless a decoder reports as many forwards as the model has counted."""
    if counted != reported:
        raise RuntimeError(
            f"{type(decoder).__name__} reports {reported} forwards, the model counted {counted}; "
            "every forward must leave one event in the trace"
        )


class ForwardTimer:
    """Add up the time of modules' forwards, on the device's own clock if it has one, otherwise on `host_clock_s`
    (None: `perf_counter`). Forwards must not overlap.
    """

    def __init__(
        self, device: torch.device, *modules: nn.Module, host_clock_s: Callable[[], float] | None = None
    ) -> None:
        self._device, self._on_device = device, device.type == "cuda"
        self._host_clock_s = host_clock_s
        self._spans: list[tuple[Any, Any]] = []
        self._begun: Any = None
        self._hooks = [module.register_forward_pre_hook(self._begin) for module in modules]
        self._hooks += [module.register_forward_hook(self._end) for module in modules]

    def remove(self) -> None:
        """Stop timing."""
        for hook in self._hooks:
            hook.remove()

    def take(self) -> float:
        """Return the seconds since the last call; the device must have finished its work."""
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
            return (self._host_clock_s or time.perf_counter)()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))  # a thread's current device may be another
        return event
