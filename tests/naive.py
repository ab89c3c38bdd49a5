"""Independent references: decoders in their plainest form, one canvas at a time, in lists and loops.

Their forwards are those of transformers' layers.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ssd.decoding.settings import GenerationSettings
from ssd.modeling.transformer import Transformer
from tests.naive_forwards import Memory, plain_logits

Picks = list[tuple[int, int]]
"""(position, token) in the order of commitment; positions count from the response's start."""

Count = Callable[[list[float]], int]
"""How many of a block's masks a step commits, by their confidences, highest first."""


def naive_stepwise(
    transformer: Transformer, prompt: list[int], gen_length: int, block_length: int, count: Count
) -> tuple[list[int], list[Picks]]:
    """Uncached low-confidence decoding: the response, and the picks of every step."""
    mask = transformer.config.mask_id
    canvas = prompt + [mask] * gen_length
    steps = []
    for start in range(len(prompt), len(canvas), block_length):
        block = range(start, start + block_length)
        while mask in canvas[start : start + block_length]:
            ranked = rank_masks(_probabilities(transformer, canvas), canvas, block, mask)
            steps.append(ranked[: count([confidence for confidence, _, _ in ranked])])
            canvas = fill(canvas, steps[-1])
    return canvas[len(prompt) :], [picks_of(step, len(prompt)) for step in steps]


def naive_cached(
    transformer: Transformer, prompt: list[int], settings: GenerationSettings, count: Count
) -> tuple[list[int], list[Picks]]:
    """Fast-dLLM's loop: refresh, pick; then forwards over the window against keys and values of the refresh."""
    mask, shift = transformer.config.mask_id, transformer.config.logits_shift
    commits_first = bool(shift) and settings.block_start == "commit_first"
    canvas = prompt + [mask] * settings.gen_length
    memory, steps = Memory(transformer, len(canvas)), []
    for start in range(len(prompt), len(canvas), settings.block_length):
        stop = start + settings.block_length
        left = start if commits_first else start - shift
        right = stop if settings.cache == "dual" else len(canvas)
        first_row = start
        logits = memory.forward(canvas, range(len(canvas)))
        while True:
            ranked = rank_masks(softmax_of(logits, mask), canvas, range(first_row, stop), mask)
            if commits_first and first_row == start:  # a refresh forward commits the block's first position alone
                steps.append([pick for pick in ranked if pick[1] == start])
                first_row = start + 1
            else:
                steps.append(ranked[: count([confidence for confidence, _, _ in ranked])])
            canvas = fill(canvas, steps[-1])
            if mask not in canvas[start:stop]:
                break
            logits = memory.forward(canvas, range(left, right))
    return canvas[len(prompt) :], [picks_of(step, len(prompt)) for step in steps]


def naive_freedave(
    transformer: Transformer, prompt: list[int], gen_length: int, block_length: int, draft_steps: int
) -> tuple[list[int], list[int]]:
    """Uncached FreeDave, one token per step: the response, and how many drafted tokens each later forward accepts."""
    mask = transformer.config.mask_id
    canvas = prompt + [mask] * gen_length
    accepted = []
    for start in range(len(prompt), len(canvas), block_length):
        block = range(start, start + block_length)
        ranked = rank_masks(_probabilities(transformer, canvas), canvas, block, mask)
        while True:
            drafts = [fill(canvas, ranked[: j + 1]) for j in range(min(draft_steps, len(ranked)))]
            if len(ranked) == 1:
                canvas = drafts[0]
                break
            drafts = [draft for draft in drafts if mask in [draft[position] for position in block]]
            rankings = [rank_masks(_probabilities(transformer, draft), draft, block, mask) for draft in drafts]
            targets = [fill(draft, ranking[:1]) for draft, ranking in zip(drafts, rankings, strict=True)]
            best = 0
            while agreeing := [j for j in range(best + 1, len(drafts)) if drafts[j] == targets[best]]:
                best = max(agreeing)
            accepted.append(best)
            canvas, ranked = drafts[best], rankings[best]
    return canvas[len(prompt) :], accepted


def rank_masks(probabilities, canvas: list[int], block: range, mask: int) -> list[tuple[float, int, int]]:
    """(confidence, position, token) of the block's masks, the surest first, then from left to right."""
    best = []
    for position in block:
        if canvas[position] == mask:
            row = probabilities[position]
            token = max(range(len(row)), key=lambda token, row=row: (row[token], -token))
            best.append((row[token], position, token))
    return sorted(best, key=lambda pick: (-pick[0], pick[1]))


def fill(canvas: list[int], picks: list[tuple[float, int, int]]) -> list[int]:
    filled = list(canvas)
    for _, position, token in picks:
        filled[position] = token
    return filled


def picks_of(step: list[tuple[float, int, int]], origin: int) -> Picks:
    return [(position - origin, token) for _, position, token in step]


def _probabilities(transformer: Transformer, canvas: list[int]) -> list[list[float]]:
    return softmax_of(plain_logits(transformer, canvas), transformer.config.mask_id)


def softmax_of(logits: Tensor, mask: int) -> list[list[float]]:
    probabilities = logits.double().clone()
    probabilities[:, mask] = -torch.inf
    return probabilities.softmax(dim=-1).tolist()
