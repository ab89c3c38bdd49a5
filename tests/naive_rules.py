"""Commit rules in their plainest form: one uncached canvas, lists and loops, one step per forward."""

import math
from collections.abc import Callable

import torch

from ssd.modeling.transformer import Transformer
from tests.naive import Picks, fill, picks_of
from tests.naive_forwards import plain_logits

Ranked = list[tuple[float, int, int]]
"""(confidence, position, token) of the block's masks, best first."""
Step = Callable[[dict[int, list[float]], list[int]], Ranked]
"""From logits by position, of the block and all after it, and the block's masks to the picks of one step."""


def naive_rule(
    transformer: Transformer, prompt: list[int], gen_length: int, block_length: int, begin: Callable[[], Step]
) -> tuple[list[int], list[Picks]]:
    """The response, and the picks of every step; `begin` makes the rule of each block."""
    mask = transformer.config.mask_id
    canvas, steps = prompt + [mask] * gen_length, []
    for start in range(len(prompt), len(canvas), block_length):
        step, block = begin(), range(start, start + block_length)
        while masked := [position for position in block if canvas[position] == mask]:
            logits = plain_logits(transformer, canvas)
            logits[:, mask] = -torch.inf
            rows = {position: logits[position].tolist() for position in range(start, len(canvas))}
            steps.append(step(rows, masked))
            canvas = fill(canvas, steps[-1])
    return canvas[len(prompt) :], [picks_of(step, len(prompt)) for step in steps]


def softmax(logits: list[float]) -> list[float]:
    return torch.tensor(logits, dtype=torch.float64).softmax(dim=0).tolist()


def ranked(probabilities: dict[int, list[float]], masked: list[int]) -> Ranked:
    best = []
    for position in masked:
        row = probabilities[position]
        token = row.index(max(row))
        best.append((row[token], position, token))
    return sorted(best, key=lambda pick: (-pick[0], pick[1]))


def distributions(logits: dict[int, list[float]]) -> dict[int, list[float]]:
    return {position: softmax(row) for position, row in logits.items()}


def entropy_bounded(gamma: float) -> Callable[[], Step]:
    def step(logits: dict[int, list[float]], masked: list[int]) -> Ranked:
        probabilities = distributions(logits)
        order = ranked(probabilities, masked)
        entropies = [-sum(p * math.log(p) for p in probabilities[position] if p) for _, position, _ in order]
        total, largest, count = 0.0, entropies[0], 1
        for entropy in entropies[1:]:
            total += min(entropy, largest)
            largest = max(entropy, largest)
            if total > gamma:
                break
            count += 1
        return order[:count]

    return lambda: step


def klass(
    threshold: float, kl_threshold: float, history: int, least: int = 1, of_response: bool = False
) -> Callable[[], Step]:
    """of_response: nothing is forgotten when a block ends; the result then serves one response."""
    before: dict[int, list[float]] = {}
    values: dict[int, list[float]] = {}

    def begin() -> Step:
        number = 0
        if not of_response:
            before.clear()
            values.clear()

        def step(logits: dict[int, list[float]], masked: list[int]) -> Ranked:
            nonlocal number
            number += 1
            probabilities = distributions(logits)
            for position, row in probabilities.items():
                old = before.get(position, [0.0] * len(row))
                moved = sum(p * (math.log(p + 1e-12) - math.log(q + 1e-12)) for p, q in zip(row, old, strict=True))
                values.setdefault(position, []).append(moved)
            before.update(probabilities)
            order = ranked(probabilities, masked)
            stable = [
                pick
                for pick in order
                if pick[0] >= threshold and number >= history and max(values[pick[1]][-history:]) < kl_threshold
            ]
            return stable or order[:least]

        return step

    return begin


def credit(
    threshold: float, alpha: float, decay: float, exponent: float, length: int | None = None
) -> Callable[[], Step]:
    """length: of a response of one block; with it, alpha and decay are the decided share, and the exponent is 1."""

    def begin() -> Step:
        credits: dict[tuple[int, int], float] = {}

        def step(logits: dict[int, list[float]], masked: list[int]) -> Ranked:
            share, fading = (1 - len(masked) / length,) * 2 if length else (alpha, decay)
            for key in credits:
                credits[key] *= fading
            for confidence, position, token in ranked(distributions(logits), masked):
                gain = confidence if length else confidence**exponent
                credits[position, token] = credits.get((position, token), 0.0) + gain
            fused = {position: list(row) for position, row in logits.items()}
            for (position, token), value in credits.items():
                fused[position][token] += share * math.log1p(value)
            order = ranked(distributions(fused), masked)
            return [pick for place, pick in enumerate(order) if pick[0] >= threshold or place == 0]

        return step

    return begin


def local_leap(threshold: float, near_threshold: float, radius: int) -> Callable[[], Step]:
    def step(logits: dict[int, list[float]], masked: list[int]) -> Ranked:
        order = ranked(distributions(logits), masked)
        anchors = [position for confidence, position, _ in order if confidence >= threshold]
        picks = []
        for place, pick in enumerate(order):
            is_near = any(abs(pick[1] - anchor) <= radius for anchor in anchors)
            if place == 0 or pick[0] >= threshold or (is_near and pick[0] >= near_threshold):
                picks.append(pick)
        return picks

    return lambda: step


def hierarchical(threshold: float, low: float) -> Callable[[], Step]:
    def step(logits: dict[int, list[float]], masked: list[int]) -> Ranked:
        order = ranked(distributions(logits), masked)
        runs: list[list[int]] = []
        for position in masked:
            if runs and runs[-1][-1] == position - 1:
                runs[-1].append(position)
            else:
                runs.append([position])
        best = {next(pick for pick in order if pick[1] in run) for run in runs}
        return [
            pick
            for place, pick in enumerate(order)
            if place == 0 or pick[0] >= threshold or (pick in best and pick[0] > low)
        ]

    return lambda: step
