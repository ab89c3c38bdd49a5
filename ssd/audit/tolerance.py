"""How far rounding may move logits: as far as it is seen to, where float64 tells, and never beyond a dtype's bound."""

from __future__ import annotations

import torch

from ssd.audit.replay import Replay
from ssd.decoding.settings import GenerationSettings

LOGIT_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.5}
"""How far two logits may move against each other when only the arithmetic's order changes: rows, nodes, kernels."""


def slack_of(settings: GenerationSettings, dtype: torch.dtype, at: Replay, exact: Replay | None) -> float:
    """How far rounding may move two logits of a state against each other.

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
