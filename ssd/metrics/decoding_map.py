"""The directed decoding map: how each step of a response changed the confidences of what was decided before."""

from __future__ import annotations

import numpy as np

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
