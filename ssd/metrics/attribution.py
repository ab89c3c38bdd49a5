"""How well two sets of maps can be told apart: Gaussian trajectory attribution (arXiv 2510.05148)."""

from __future__ import annotations

import numpy as np

LEAST_DEVIATION = 1e-6
"""Added to each cell's standard deviation, as in the authors' code. A cell that never varied then outweighs others."""


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
