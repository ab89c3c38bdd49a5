"""Time the forwards of every cache, beside windows with as many rows."""

from __future__ import annotations

from typing import Any

import torch

from baselines.stepwise import Stepwise
from ssd.decoding.cache_options import caches_of
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure import clock
from ssd.measure.instrumentation import ForwardTimer
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.kv_cache import Window

REPEATS = 20


def cache_rows(
    model: DiffusionModel, settings: GenerationSettings, special: SpecialTokens, prompt_length: int
) -> list[dict[str, Any]]:
    """Return a row per cache with default options: a stepwise response to a prompt of `prompt_length` end tokens.

    rows: computed per forward; ms: per forward; window_ms: of one over a window with as many rows, as `dual` has them,
    and all other positions in the context.
    """
    prompt, decoder = [special.fill_id] * prompt_length, Stepwise()
    timer, found = ForwardTimer(model.device, model.transformer, model.transformer.head), []
    for cache in caches_of(settings.grid):
        chosen = settings.with_cache(cache)
        for _ in range(2):  # the first one warms up
            clock.synchronize(model.device)
            timer.take()
            trace = decoder.decode(model, prompt, chosen, special).trace
            clock.synchronize(model.device)
        ms, rows = timer.take() * 1e3 / trace.nfe, round(trace.token_rows / trace.nfe)
        window_ms = _window_ms(model, prompt_length + settings.gen_length, rows, settings.block_length, timer)
        row = {"cache": cache, "nfe": trace.nfe, "rows": rows, "ms": ms, "window_ms": window_ms}
        found.append({**row, "to_window": ms / window_ms})
    timer.remove()
    return found


def _window_ms(model: DiffusionModel, length: int, rows: int, block: int, timer: ForwardTimer) -> float:
    """Return the milliseconds of a forward over the last `rows` positions of a canvas of masks."""
    start, shift = length - rows, model.config.logits_shift
    window = Window(start, length, max(start + shift, length - block), length, length)
    canvas = torch.full((length,), model.config.mask_id)
    context = None if window.is_whole else model.refresh(canvas, window)[1]
    for repeats in (1, REPEATS):
        clock.synchronize(model.device)
        timer.take()
        for _ in range(repeats):
            model.window(canvas[None, start:], window, context)
        clock.synchronize(model.device)
    return timer.take() * 1e3 / REPEATS
