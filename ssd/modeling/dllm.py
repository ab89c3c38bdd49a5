"""The model as decoders see it: refresh a context, evaluate states over a window."""

from __future__ import annotations

import torch
from torch import Tensor

from ssd.modeling.context import Context, Window
from ssd.modeling.transformer import Transformer


class MaskedDiffusionModel:
    """A transformer behind two calls, `refresh` and `window`. Each is one forward of `transformer` (one NFE).

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

    @torch.inference_mode()
    def refresh(self, canvas: Tensor, window: Window) -> tuple[Tensor, Context]:
        """One forward over a whole canvas [length]; freezes the keys and values outside `window`.

        Returns the logits [1, rows, vocabulary] of the window's rows, and the context.
        """
        if canvas.shape[0] != window.length:
            raise ValueError(f"the canvas has {canvas.shape[0]} positions, expected the window's {window.length}")
        context = Context(window)
        hidden = self.transformer(canvas[None].to(self.device, non_blocking=True), keep=context)
        return self._predict(hidden, 0, window), context

    @torch.inference_mode()
    def window(self, states: Tensor, window: Window, context: Context | None = None) -> Tensor:
        """One forward over states [nodes, window] that share one context: logits [nodes, rows, vocabulary].

        Without a context the window must be the whole canvas (cache mode `none`).
        """
        if states.shape[1] != window.size:
            raise ValueError(f"states span {states.shape[1]} positions, expected the window's {window.size}")
        if context is None and not window.is_whole:
            raise ValueError("a window smaller than its canvas needs the context of a refresh forward")
        if context is not None and (context.window.start, context.window.stop) != (window.start, window.stop):
            raise ValueError(f"the context was frozen around {context.window}, which is not where {window} lies")
        hidden = self.transformer(states.to(self.device, non_blocking=True), start=window.start, context=context)
        return self._predict(hidden, window.start, window)

    def _predict(self, hidden: Tensor, start: int, window: Window) -> Tensor:
        """Logits of the window's rows from hidden states [nodes, length, hidden_size] that begin at `start`."""
        first = window.first_row - self.config.logits_shift - start
        if first < 0:
            raise ValueError(
                f"the prediction for position {window.first_row} is made at {window.first_row - 1}, "
                f"outside the positions from {start} on that this forward recomputes"
            )
        return self.transformer.predict(hidden[:, first : first + window.rows])
