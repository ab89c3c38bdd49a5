"""The model as decoders see it: refresh a context, evaluate states over a window, slide a window to the right."""

from __future__ import annotations

import torch
from torch import Tensor

from ssd.modeling.forward_input import ForwardInput
from ssd.modeling.kv_cache import KVCache, SlidingKVCache, Window
from ssd.modeling.transformer import Transformer


class MaskedDiffusionModel:
    """A transformer behind a few calls. Each is one forward of `transformer` (one NFE).

    States arrive on the host and logits stay on the model's device, aligned to the position they predict:
    Dream's shift by one ends here.
    """

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
        """How many states a window forward over so many evaluates: more of them where a subclass pads its shapes."""
        return nodes

    @torch.inference_mode()
    def refresh(self, canvas: Tensor, window: Window) -> tuple[Tensor, KVCache]:
        """One forward over a whole canvas [length]; freezes the keys and values outside `window`.

        Returns the logits [1, rows, vocabulary] of the window's rows, and the context.
        """
        if canvas.shape[0] != window.length:
            raise ValueError(f"the canvas has {canvas.shape[0]} positions, expected the window's {window.length}")
        context = self._context(window)
        part = ForwardInput(self._moved(canvas[None]), keep=context, wanted=self._wanted(0, window))
        return self._logits(self._hidden(part)), context

    @torch.inference_mode()
    def window(self, states: Tensor, window: Window, context: KVCache | None = None) -> Tensor:
        """One forward over states [nodes, window] that share one context: logits [nodes, rows, vocabulary].

        Without a context the window must be the whole canvas (cache mode `none`).
        """
        _check_states(states, window)
        _check_context(context, window)
        part = ForwardInput(self._moved(states), window.start, context, wanted=self._wanted(window.start, window))
        return self._logits(self._hidden(part))

    @torch.inference_mode()
    def window_with_shadow(self, state: Tensor, window: Window, context: KVCache | None = None) -> Tensor:
        """One forward over a state [window] and as many masks as it has rows, which stand at the rows' positions again.

        Returns logits [2, rows, vocabulary]: the state's own, as `window` gives them, and those of the masks. A mask
        sees the context, the other masks and the whole state but the token at its own position (arXiv 2507.18578).
        """
        if self.config.logits_shift:
            raise ValueError(
                f"model family {self.config.family} predicts a position from its left neighbour, so that a mask cannot "
                "stand in for a token; shadow windows need a model that predicts in place, such as llada"
            )
        _check_states(state[None], window)
        _check_context(context, window)
        tokens = torch.cat((state, state.new_full((window.rows,), self.config.mask_id)))
        part = ForwardInput(
            self._moved(tokens[None]),
            window.start,
            context,
            positions=window.shadow_positions(self.device),
            visible=window.shadow_visibility(self.device),
        )
        hidden = self._hidden(part)[0]
        pair = torch.stack((hidden[window.row_slice], hidden[window.size :]))
        return self._logits(pair)

    @torch.inference_mode()
    def slide(self, tokens: Tensor, window: Window, context: SlidingKVCache) -> Tensor:
        """One forward over tokens [window] and the frozen positions left of them: logits [1, rows, vocabulary].

        The canvas ends where the window does. `context` freezes what lies between the last window's start and this
        one's as the last forward left it, and keeps this forward's keys and values for the next call.
        """
        if window.length != window.stop:
            raise ValueError(f"{window}: expected a canvas cut off at the window's stop, length == stop")
        _check_states(tokens[None], window)
        context.move(window)
        part = ForwardInput(
            self._moved(tokens[None]),
            window.start,
            context if window.start else None,
            keep=context,
            wanted=self._wanted(window.start, window),
        )
        return self._logits(self._hidden(part))

    def _context(self, window: Window) -> KVCache:
        """An empty context around `window`, for a refresh to fill."""
        return KVCache(window)

    def _hidden(self, part: ForwardInput) -> Tensor:
        """Hidden states [nodes, wanted, hidden_size] of one window: a forward of its own."""
        return self.transformer([part])[0]

    def _moved(self, tokens: Tensor) -> Tensor:
        return tokens.to(self.device, non_blocking=True)

    def _wanted(self, start: int, window: Window) -> slice:
        """Where the window's rows are predicted, among the positions from `start` on that a forward recomputes."""
        first = window.first_row - self.config.logits_shift - start
        if first < 0:
            raise ValueError(
                f"the prediction for position {window.first_row} is made at {window.first_row - 1}, "
                f"outside the positions from {start} on that this forward recomputes"
            )
        return slice(first, first + window.rows)

    def _logits(self, hidden: Tensor) -> Tensor:
        """Logits [nodes, rows, vocabulary] of hidden states [nodes, rows, hidden_size]."""
        return self.transformer.predict(hidden)


def _check_states(states: Tensor, window: Window) -> None:
    if states.shape[1] != window.size:
        raise ValueError(f"states span {states.shape[1]} positions, expected the window's {window.size}")


def _check_context(context: KVCache | None, window: Window) -> None:
    if context is None and not window.is_whole:
        raise ValueError("a window smaller than its canvas needs the context of a refresh forward")
    if context is not None and (context.window.start, context.window.stop) != (window.start, window.stop):
        raise ValueError(f"the context was frozen around {context.window}, which is not where {window} lies")
