"""The pick model: probabilities of the next pick, from five weights that learn from every verified step."""

from __future__ import annotations

from collections.abc import Container, Sequence
from math import exp, log1p, sqrt
from operator import mul
from typing import NamedTuple

HORIZON = 8
"""Number of candidate rows from the expected pick on; rows ranked lower have probability 0."""
FAR = 4.0
"""Larger gaps of certainty count as this one."""
LEARNING_RATE = 0.05
_CROWD = [log1p(rank) for rank in range(HORIZON)]


class Features(NamedTuple):
    """Features of a candidate row in a hypothetical state; or their weights.

    gap: difference from the best certainty, weaker for an older forecast; crowd: rows ranked before it, unless it ties
    with the best; queue: the same if it ties (the lower position goes first); follows: whether the last step picked its
    left neighbour; leans: whether the left neighbour was picked since the forecast.
    """

    gap: float
    crowd: float
    queue: float
    follows: float
    leans: float


Values = tuple[float, float, float, float, float]
"""`Features` as a plain tuple, which is faster in the inner loop."""

PRIOR = Features(gap=0.92, crowd=0.74, queue=3.05, follows=2.1, leans=0.5)
"""Fitted by maximum likelihood to 60 % of the steps of 96 responses of llada_tiny and dream_tiny to tiny_math, 24
for each model with confidence_dtype float64 (float32 model) and logits (bfloat16 model), with task.seed=11."""


class PickModel:
    """A multinomial logit over the candidates of a state. Each response has its own, which starts from a prior."""

    def __init__(self, prior: Features = PRIOR) -> None:
        self.weights = prior

    def odds(self, candidates: Sequence[Values]) -> list[float]:
        """Return the probability of each candidate to be picked; the sum is 1."""
        gap, crowd, queue, follows, leans = self.weights
        scores = [gap * a + crowd * b + queue * c + follows * d + leans * e for a, b, c, d, e in candidates]
        best = max(scores)
        shares = [exp(score - best) for score in scores]
        total = sum(shares)
        return [share / total for share in shares]

    def learn(self, candidates: Sequence[Values], picked: int) -> None:
        """Change each weight in proportion to the pick's feature minus the expected feature."""
        odds = self.odds(candidates)
        expected = [sum(map(mul, odds, values)) for values in zip(*candidates, strict=True)]
        steps = (LEARNING_RATE * (seen - mean) for seen, mean in zip(candidates[picked], expected, strict=True))
        self.weights = Features(*(weight + step for weight, step in zip(self.weights, steps, strict=True)))


def features_of(
    rows: Sequence[int], certainty: Sequence[float], age: int, last: Container[int], filled: Container[int]
) -> list[Values]:
    """Return the features of candidate rows, which are given in the order of the ranking.

    certainty: of every row of the block; age: steps since the forecast was made, this one included;
    last: the rows that the step before picked; filled: all rows picked since the forecast was made.
    """
    best, fading = max([certainty[row] for row in rows]), -1 / sqrt(age)
    found = []
    for row, crowd in zip(rows, _CROWD, strict=False):
        gap, left = best - certainty[row], row - 1
        order = (-crowd, 0.0) if gap else (0.0, -crowd)
        found.append((fading * (gap if gap < FAR else FAR), *order, float(left in last), float(left in filled)))
    return found
