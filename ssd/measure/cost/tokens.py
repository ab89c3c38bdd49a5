"""Milliseconds per token of stepwise decoding by cache and length of the response, from a few of its blocks."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import torch

from ssd.decoding.caches.policy import Forward, Opening
from ssd.decoding.canvas import Block, Canvas
from ssd.decoding.draft import Draft
from ssd.decoding.scores import Scores
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure import clock
from ssd.modeling.forwards import DiffusionModel

ALIKE = 8


def token_rows(
    model: DiffusionModel,
    settings: GenerationSettings,
    special: SpecialTokens,
    prompt_length: int,
    gen_lengths: Sequence[int],
    caches: Sequence[str],
    sampled: int,
) -> list[dict[str, Any]]:
    """Return a row per cache and value of gen_length, for a prompt of `prompt_length` end tokens.

    `sampled` blocks of each response are decoded: the first one, and others at equal distances, which stand for all
    behind the first. End tokens fill the blocks between them. Where a cache depends on the state alone, a block's steps
    behind the first are alike, and `ALIKE` of them stand for all. A step's time includes its ranking; on a CPU it is
    processor time, which other work on the machine changes less.
    positions: computed per token, as traces count them; plain_ms: of the median step; refreshes: share of the time that
    steps take beyond the median one of their block.
    Costs do not depend on what a model was trained for, so that a response may exceed its context.
    """
    rows: list[dict[str, Any]] = []
    for cache in caches:
        _decode(model, replace(settings.with_cache(cache), gen_length=min(gen_lengths)), special, prompt_length, 1)
        for gen_length in gen_lengths:
            longer = replace(settings.with_cache(cache), gen_length=gen_length)
            blocks, number = _decode(model, longer, special, prompt_length, sampled)
            each_s = [[seconds for seconds, _ in block] for block in blocks]
            seconds = _total(map(sum, each_s), number)
            rows.append(
                {
                    "cache": cache,
                    "gen_length": gen_length,
                    "blocks": len(blocks),
                    "of_blocks": number,
                    "ms_per_token": seconds / gen_length * 1e3,
                    "positions": _total((sum(count for _, count in block) for block in blocks), number) / gen_length,
                    "plain_ms": statistics.median(chain(*each_s)) * 1e3,
                    "refreshes": _total(map(_beyond_median_s, each_s), number) / seconds,
                }
            )
    return rows


def _total(sampled: Iterable[float], blocks: int) -> float:
    """Return the sum over all blocks: the first one, and those that stand for all others."""
    first, *others = sampled
    return first + (blocks - 1) * statistics.mean(others) if others else first * blocks


def _beyond_median_s(steps_s: Sequence[float]) -> float:
    return max(0.0, sum(steps_s) - len(steps_s) * statistics.median(steps_s))


@torch.inference_mode()
def _decode(
    model: DiffusionModel, settings: GenerationSettings, special: SpecialTokens, prompt_length: int, sampled: int
) -> tuple[list[list[tuple[float, int]]], int]:
    """Return the seconds and computed positions of each step of the sampled blocks; and the number of all blocks."""
    prompt = [special.fill_id] * prompt_length
    canvas = Canvas(prompt, settings, special)
    session = DecodeSession.start(model, canvas, prompt, settings)
    blocks = list(canvas.blocks(settings, model.config.logits_shift))
    others = min(sampled, len(blocks)) - 1
    chosen = [blocks[0], *(blocks[1 + int((len(blocks) - 1) * (place + 0.5) / others)] for place in range(others))]
    found = []
    for block in chosen:
        canvas.tokens[prompt_length : block.start] = special.fill_id
        session.cache.fill(model, canvas, max(0, block.start - settings.block_length) if block.index else 0)
        found.append(_fill(session, block))
    return found, len(blocks)


def _fill(session: DecodeSession, block: Block) -> list[tuple[float, int]]:
    """Fill a block; return the seconds and the number of computed positions of each step."""
    canvas, device, context = session.canvas, session.model.device, None
    draft, found = Draft.of_state(canvas.tokens[block.start : block.span_stop].clone(), 0), list[tuple[float, int]]()
    all_differ, masks = session.cache.depends_on != "state", [_masks(draft, canvas)]
    while masks[-1] and (all_differ or len(found) <= ALIKE):
        compute = partial(session.evaluate, draft, block, context) if found else partial(session.open, draft, block)
        (forward, draft), seconds = clock.spent(partial(_step, session, block, draft, compute), device)
        context = forward.context if isinstance(forward, Opening) else context
        found.append((seconds, forward.rows + forward.stored))
        masks.append(_masks(draft, canvas))
    if masks[-1]:
        alike, positions = statistics.mean(seconds for seconds, _ in found[1:]), found[-1][1]
        found += [(alike, positions)] * -(-masks[-1] // (masks[-2] - masks[-1]))
    canvas.tokens[block.start : block.span_stop] = canvas.special.fill_id
    return found


def _masks(draft: Draft, canvas: Canvas) -> int:
    return int((draft.states == canvas.special.mask_id).sum())


def _step(
    session: DecodeSession, block: Block, draft: Draft, compute: Callable[[], tuple[Opening | Forward, Scores]]
) -> tuple[Opening | Forward, Draft]:
    """Return a state's forward, and the next state."""
    forward, scores = compute()
    ranking = session.rank(scores, draft, block)
    session.cache.adopt([0])
    return forward, Draft.of_state(ranking.apply(draft.states, scores.token)[0], int(ranking.next_step))
