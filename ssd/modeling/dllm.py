"""Forwards over windows, and the model that runs them on a transformer."""

from __future__ import annotations

import torch
from torch import Tensor

from ssd.modeling.forward_input import ForwardInput
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.kv_cache import KVCache, SlidingKVCache, Window
from ssd.modeling.transformer import Transformer


class WindowForwards(DiffusionModel):
    """The four calls of a model, made of its own `new_cache`, `hidden` and `logits`.

    A wrapper that changes one of these parts puts this class before `DelegatingModel` in its bases.
    """

    @torch.inference_mode()
    def refresh(self, canvas: Tensor, window: Window) -> tuple[Tensor, KVCache]:
        if canvas.shape[0] != window.length:
            raise ValueError(f"the canvas has {canvas.shape[0]} positions, expected the window's {window.length}")
        kv_cache = self.new_cache(window)
        forward_input = ForwardInput(
            self._moved(canvas[None]), written=kv_cache, logit_rows=self._logit_rows(0, window)
        )
        return self.logits(self.hidden(forward_input)), kv_cache

    @torch.inference_mode()
    def window(self, states: Tensor, window: Window, kv_cache: KVCache | None = None) -> Tensor:
        _check_states(states, window)
        _check_cache(kv_cache, window)
        rows = self._logit_rows(window.start, window)
        forward_input = ForwardInput(self._moved(states), window.start, kv_cache, logit_rows=rows)
        return self.logits(self.hidden(forward_input))

    @torch.inference_mode()
    def window_with_shadow(self, state: Tensor, window: Window, kv_cache: KVCache | None = None) -> Tensor:
        if self.config.logits_shift:
            raise ValueError(
                f"model family {self.config.family} predicts a position from its left neighbour, so that a mask cannot "
                "stand in for a token; shadow windows need a model that predicts in place, such as llada"
            )
        _check_states(state[None], window)
        _check_cache(kv_cache, window)
        tokens = torch.cat((state, state.new_full((window.rows,), self.config.mask_id)))
        forward_input = ForwardInput(
            self._moved(tokens[None]),
            window.start,
            kv_cache,
            positions=window.shadow_positions(self.device),
            visible=window.shadow_visibility(self.device),
        )
        hidden = self.hidden(forward_input)[0]
        pair = torch.stack((hidden[window.row_slice], hidden[window.size :]))
        return self.logits(pair)

    @torch.inference_mode()
    def slide(self, tokens: Tensor, window: Window, kv_cache: SlidingKVCache) -> Tensor:
        if window.length != window.stop:
            raise ValueError(f"{window}: expected a canvas that ends with the window, length == stop")
        _check_states(tokens[None], window)
        kv_cache.move(window)
        forward_input = ForwardInput(
            self._moved(tokens[None]),
            window.start,
            kv_cache if window.start else None,
            written=kv_cache,
            logit_rows=self._logit_rows(window.start, window),
        )
        return self.logits(self.hidden(forward_input))

    def _moved(self, tokens: Tensor) -> Tensor:
        return tokens.to(self.device, non_blocking=True)

    def _logit_rows(self, start: int, window: Window) -> slice:
        """Where the window's rows are predicted, counted from position `start`."""
        first = window.first_row - self.config.logits_shift - start
        if first < 0:
            raise ValueError(
                f"position {window.first_row} is predicted at {window.first_row - 1}, but this forward computes "
                f"positions from {start} on"
            )
        return slice(first, first + window.rows)


class MaskedDiffusionModel(WindowForwards):
    """A transformer as decoders see it. Dream's shift of logits by one position ends here."""

    def __init__(self, transformer: Transformer) -> None:
        self.transformer = transformer.eval().requires_grad_(False)
        self.config = transformer.config

    @property
    def device(self) -> torch.device:
        return self.transformer.embedding.weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self.transformer.embedding.weight.dtype

    def computed_nodes(self, nodes: int) -> int:
        return nodes

    def new_cache(self, window: Window) -> KVCache:
        return KVCache(window)

    def hidden(self, forward_input: ForwardInput) -> Tensor:
        hidden: Tensor = self.transformer([forward_input])[0]
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        return self.transformer.predict(hidden)


def _check_states(states: Tensor, window: Window) -> None:
    if states.shape[1] != window.size:
        raise ValueError(f"states span {states.shape[1]} positions, expected the window's {window.size}")


def _check_cache(kv_cache: KVCache | None, window: Window) -> None:
    if kv_cache is None and not window.is_whole:
        raise ValueError("a window smaller than its canvas needs the cache of a refresh forward")
    if kv_cache is not None and (kv_cache.window.start, kv_cache.window.stop) != (window.start, window.stop):
        raise ValueError(f"the cache was written around {kv_cache.window}, which is not where {window} is")
