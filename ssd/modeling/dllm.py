"""Forwards over windows, and the model that runs them on a transformer."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from ssd.modeling.feature_cache import FeatureCache, Renewal
from ssd.modeling.forward_input import ForwardInput
from ssd.modeling.forwards import Context, DiffusionModel
from ssd.modeling.growing_kv_cache import GrowingKVCache, StoredContext, block_causal
from ssd.modeling.kv_cache import KVCache, SlidingKVCache, Window
from ssd.modeling.path_kv_cache import PackedRows, PathAttention, PathKVCache
from ssd.modeling.selective_kv_cache import SelectiveKVCache
from ssd.modeling.transformer import Transformer


class WindowForwards(DiffusionModel):
    """The calls of a model, made of its own `new_cache`, `hidden` and `logits`.

    A wrapper that changes one of these parts puts this class before `DelegatingModel` in its bases.
    """

    @torch.inference_mode()
    def refresh(self, canvas: Tensor, window: Window, kv_cache: KVCache | None = None) -> tuple[Tensor, KVCache]:
        if self.config.causal_block is not None:
            raise ValueError("a refresh has full attention; block-causal models store their blocks by `append`")
        if canvas.shape[0] != window.length:
            raise ValueError(f"the canvas has {canvas.shape[0]} positions, expected the window's {window.length}")
        kv_cache = kv_cache or self.new_cache(window)
        rows = self._logit_rows(0, window)
        if isinstance(kv_cache, SelectiveKVCache):
            rows = slice(rows.start, window.last_row)  # it reads the queries of the rows themselves
        forward_input = ForwardInput(
            self._moved(canvas[None]),
            written=kv_cache,
            positions=window.positions(self.device),
            below=window.below,
            logit_rows=rows,
        )
        return self.logits(self.hidden(forward_input)[:, : window.rows]), kv_cache

    @torch.inference_mode()
    def window(self, states: Tensor, window: Window, kv_cache: Context | None = None) -> Tensor:
        _check_states(states, window)
        _check_cache(kv_cache, window)
        rows, visible = self._logit_rows(window.start, window), self._visible(window.start, window.stop)
        positions = window.positions(self.device)
        forward_input = ForwardInput(
            self._moved(states),
            window.start,
            kv_cache,
            positions=None if positions is None else positions[window.start : window.stop],
            visible=visible,
            below=None if positions is None else window.below,
            logit_rows=rows,
        )
        return self.logits(self.hidden(forward_input))

    @torch.inference_mode()
    def append(
        self, tokens: Tensor, kv_cache: GrowingKVCache, states: Tensor | None = None, window: Window | None = None
    ) -> Tensor:
        start, stop = kv_cache.size, kv_cache.size + len(tokens)
        self._check_append(start, stop, window)
        extension = kv_cache.extend(start, stop)
        predicts = self.config.logits_shift if window is None or window.first_row == stop else 0
        stored = ForwardInput(
            self._moved(tokens[None]),
            start,
            StoredContext(kv_cache, start) if start else None,
            written=extension,
            visible=self._visible(start, stop),
            logit_rows=slice(len(tokens) - predicts, len(tokens)),
        )
        if states is None or window is None:
            return self.logits(self.hidden(stored))
        _check_states(states, window)
        shifted = self.config.logits_shift - predicts
        forward_input = ForwardInput(
            self._moved(states),
            stop,
            StoredContext(kv_cache, stop),
            visible=self._visible(stop, window.stop),
            logit_rows=slice(window.first_row - shifted - stop, window.last_row - self.config.logits_shift - stop),
            stored=stored,
        )
        return self.logits(self.hidden(forward_input))

    @torch.inference_mode()
    def window_with_shadow(self, state: Tensor, window: Window, kv_cache: Context | None = None) -> Tensor:
        if self.config.logits_shift:
            raise ValueError(
                f"model family {self.config.family} predicts a position from its left neighbour, so that a mask cannot "
                "stand in for a token; shadow windows need a model that predicts in place, such as llada"
            )
        _check_states(state[None], window)
        _check_cache(kv_cache, window)
        tokens = torch.cat((state, state.new_full((window.rows,), self.config.mask_id)))
        positions, visible = window.shadow_positions(self.device), window.shadow_visibility(self.device)
        if self.config.causal_block is not None:
            blocks = positions // self.config.causal_block
            visible = visible & (blocks[None] <= blocks[:, None])
        forward_input = ForwardInput(
            self._moved(tokens[None]),
            window.start,
            kv_cache,
            positions=positions,
            visible=visible,
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

    @torch.inference_mode()
    def recompute(self, rows: PackedRows, kv_cache: PathKVCache) -> Tensor:
        kv_cache.reserve(rows.stop)
        visible = None
        if not rows.reads_stored:
            visible = torch.zeros(rows.nodes, rows.stop, dtype=torch.bool, device=self.device)
            visible = visible.scatter_(1, self._moved(rows.seen), True)[self._moved(rows.node)]
        forward_input = ForwardInput(
            self._moved(rows.tokens[None]),
            context=PathAttention(kv_cache, self._moved(rows.columns), rows.stop),
            positions=self._moved(rows.positions),
            visible=visible,
            below=kv_cache.length,
            logit_rows=self._moved(rows.logit_rows.flatten()),
        )
        hidden = self.hidden(forward_input)[0]
        return self.logits(hidden.unflatten(0, rows.logit_rows.shape))

    @torch.inference_mode()
    def renew(self, canvas: Tensor, window: Window, features: FeatureCache, renewal: Renewal) -> Tensor:
        tokens, rows = self._moved(canvas), self._logit_rows(0, window)
        replay = partial(features.forward, self.transformer, tokens, renewal, rows)
        return self.logits(self.hidden(ForwardInput(tokens[None], logit_rows=rows, replay=replay)))

    def _visible(self, start: int, stop: int) -> Tensor | None:
        """Return the positions of a window that each of them attends to; None: all."""
        block = self.config.causal_block
        return None if block is None else block_causal(start, stop, block, self.device)

    def _check_append(self, start: int, stop: int, window: Window | None) -> None:
        block = self.config.causal_block
        if block is None or stop % block:
            raise ValueError(
                f"positions {start} to {stop} cannot be stored: expected whole blocks of a block-causal model, whose "
                f"length is {block}"
            )
        if window is not None and window.start != stop:
            raise ValueError(f"{window}: expected a window that starts at {stop}, behind the stored positions")

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

    def new_growing_cache(self, capacity: int) -> GrowingKVCache:
        return GrowingKVCache(capacity)

    def hidden(self, forward_input: ForwardInput) -> Tensor:
        hidden: Tensor = self.transformer([forward_input])[0]
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        return self.transformer.predict(hidden)


def _check_states(states: Tensor, window: Window) -> None:
    if states.shape[1] != window.size:
        raise ValueError(f"states span {states.shape[1]} positions, expected the window's {window.size}")


def _check_cache(kv_cache: Context | None, window: Window) -> None:
    if kv_cache is None and not window.is_whole:
        raise ValueError("a window smaller than its canvas needs the cache of a refresh forward")
    if isinstance(kv_cache, StoredContext) and kv_cache.size != window.start:
        raise ValueError(f"{kv_cache.size} positions are stored, which does not end where {window} starts")
    if isinstance(kv_cache, KVCache) and (kv_cache.window.start, kv_cache.window.stop) != (window.start, window.stop):
        raise ValueError(f"the cache was written around {kv_cache.window}, which is not where {window} is")
