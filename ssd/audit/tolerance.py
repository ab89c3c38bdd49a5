"""Bounds of how far rounding may move logits: the observed noise where float64 shows it, and a bound per dtype."""

from __future__ import annotations

import torch

from ssd.audit.replay import Replay
from ssd.decoding.settings import GenerationSettings

LOGIT_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.5}
"""Largest movement of two logits against each other if only the arithmetic's order changes: rows, kernels."""


def slack_of(settings: GenerationSettings, dtype: torch.dtype, at: Replay, exact: Replay | None) -> float:
    """Return how far rounding may move two logits of a state against each other.

    Four times the noise, which is the largest difference between the state's logits in the run's dtype and in float64:
    two tokens, each of which may move by it, in two evaluations (the reference's and the decoder's). It is taken over
    all rows still masked, since the two that parted may by chance have been rounded little. Where tokens are sampled in
    the logits' dtype, logits / T are rounded once more. The dtype's bound holds in any case, and alone where there is
    no float64 to compare with.
    """
    bound = LOGIT_TOLERANCE[dtype]
    if exact is None or dtype == torch.float64:
        return bound
    logits = at.logits[at.masked[0]]
    slack = 4 * float((logits - exact.logits[at.masked[0]]).abs().amax())
    if settings.temperature and settings.confidence_dtype == "logits":
        slack += torch.finfo(dtype).eps * float(logits.abs().amax())
    return min(bound, slack)
