"""Directed decoding maps: how each step changed the confidences of earlier decisions; attribution by such maps."""

from __future__ import annotations

import numpy as np

LEAST_DEVIATION = 1e-6
"""Added to each cell's standard deviation, as in the authors' code. A cell that never varied then outweighs others."""
BOTH, RISE, FALL = 10.0, 0.5, -0.5
"""Values of a step's new positions: some earlier confidences rose and some fell, none fell, none rose."""
CHANGE = 2.0
"""Value of an earlier position whose confidence rose; negative for one that fell."""


def decoding_map(confidences: np.ndarray) -> np.ndarray:
    """Return float64 [steps, positions], the map of arXiv 2510.05148 (section 3 and the authors' code).

    confidences: float64 [steps, positions], of the positions decided by the end of each step; NaN for all others, and
    for those that the step's forward did not compute.

    A step is compared with the one before. Positions whose confidence changed get 2 by the sign of their change. All
    positions that the step decided get one value: 10 if some earlier confidences rose and some fell, 0.5 if none fell,
    -0.5 if none rose, and 0 if none changed. Masked positions, unchanged ones and the whole first step are 0.

    Two readings differ from the authors' code. There, a further change after one rise and one fall turns 10 back into
    ±0.5; here the sets of changes count, as in the paper. There, an earlier position's confidence is its largest
    probability; here it is the probability of its decided token, which may have become another.
    """
    is_known = ~np.isnan(confidences)
    was_decided = np.logical_or.accumulate(is_known, axis=0)[:-1]
    change = np.nan_to_num(np.diff(confidences, axis=0))
    rose, fell = ((change * sign > 0).any(axis=1, keepdims=True) for sign in (1, -1))
    value = np.select([rose & fell, rose, fell], [BOTH, RISE, FALL], 0.0)
    found = np.zeros(confidences.shape)
    found[1:] = np.where(is_known[1:] & ~was_decided, value, CHANGE * np.sign(change))
    return found


def separation(first: np.ndarray, second: np.ndarray) -> float:
    """Return the AUC, from 0 to 1, with which maps of `second` can be told from maps of `first`; 0.5: not at all.

    first, second: float64 [prompts, cells], for the same prompts in the same order, at least four. A Gaussian per cell
    and set is fitted on every other prompt. The maps of the other prompts are ordered by the difference of their log
    likelihoods. The two halves change places, and the two AUCs are averaged.
    """
    return float(np.mean([_held_out(first, second, start) for start in (0, 1)]))


def _held_out(first: np.ndarray, second: np.ndarray, start: int) -> float:
    """Return the AUC on the prompts that are not used for fitting, which begins with prompt `start`."""
    scores = [
        _log_likelihood(held_out, second[start::2]) - _log_likelihood(held_out, first[start::2])
        for held_out in (first[1 - start :: 2], second[1 - start :: 2])
    ]
    return auc(*scores)


def auc(negatives: np.ndarray, positives: np.ndarray) -> float:
    """Return the probability that a positive's score is above a negative's; ties count half."""
    above = np.sign(positives[:, None] - negatives[None])
    return float((above.mean() + 1) / 2)


def _log_likelihood(maps: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Return float64 [prompts]: log likelihoods of maps [prompts, cells] by Gaussians fitted on others, less a constant
    that depends on the number of cells alone."""
    deviation = fitted.std(axis=0, ddof=1) + LEAST_DEVIATION
    return (-0.5 * ((maps - fitted.mean(axis=0)) / deviation) ** 2 - np.log(deviation)).sum(axis=1)
