"""Time the forwards of every cache, beside windows with as many rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from baselines.stepwise import Stepwise
from ssd.decoding.cache_options import caches_of
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure import clock
from ssd.measure.instrumentation import ForwardTimer
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.kv_cache import Window


def cache_rows(
    model: DiffusionModel, settings: GenerationSettings, special: SpecialTokens, prompt_length: int
) -> list[dict[str, Any]]:
    """Return a row per cache with default options: a stepwise response to a prompt of `prompt_length` end tokens.

    rows, ms: positions computed per forward, and milliseconds; window_ms: the same of windows, one for each forward
    with as many rows, as `dual` has them, and all other positions in the context.
    """
    prompt, decoder = [special.fill_id] * prompt_length, Stepwise()
    timer, found = ForwardTimer(model.device, model.transformer, model.transformer.head), []
    for cache in caches_of(settings.grid):
        decode = partial(decoder.decode, model, prompt, settings.with_cache(cache), special)
        trace = decode().trace  # it warms up, too
        counts = Counter(event.rows + event.stored for event in trace.events)
        whole, block = prompt_length + settings.gen_length, settings.block_length
        windows_ms = sum(_windows_ms(model, whole, rows, count, block, timer) for rows, count in counts.items())
        ms, window_ms = _timed_ms(model, timer, decode) / trace.nfe, windows_ms / trace.nfe
        row = {"cache": cache, "nfe": trace.nfe, "rows": round(trace.token_rows / trace.nfe)}
        found.append({**row, "ms": ms, "window_ms": window_ms, "to_window": ms / window_ms})
    timer.remove()
    return found


def _windows_ms(model: DiffusionModel, length: int, rows: int, count: int, block: int, timer: ForwardTimer) -> float:
    """Return the milliseconds of `count` forwards over the last `rows` positions of a canvas of masks."""
    start, shift = length - rows, model.config.logits_shift
    window = Window(start, length, max(start + shift, length - block), length, length)
    canvas = torch.full((length,), model.config.mask_id)
    context = None if window.is_whole else model.refresh(canvas, window)[1]

    def forwards(number: int) -> None:
        for _ in range(number):
            model.window(canvas[None, start:], window, context)

    forwards(1)
    return _timed_ms(model, timer, partial(forwards, count))


def _timed_ms(model: DiffusionModel, timer: ForwardTimer, make: Callable[[], object]) -> float:
    """Return the milliseconds that the forwards of one call take."""
    clock.synchronize(model.device)
    timer.take()
    make()
    clock.synchronize(model.device)
    return timer.take() * 1e3
