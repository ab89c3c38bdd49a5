"""Counter-based randomness: a pure function of (seed, prompt, step, position, token), so that drafts know it early."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15 as a signed 64-bit integer
_MIX_1 = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_2 = -7723592293110705685  # 0x94D049BB133111EB


class CounterNoise:
    """Random numbers for one seed and prompt. The mixing function is SplitMix64 (Steele et al. 2014)."""

    def __init__(self, seed: int, prompt_ids: Sequence[int]) -> None:
        text = f"{seed}:{','.join(map(str, prompt_ids))}"
        digest = hashlib.sha256(text.encode()).digest()
        self._key = int.from_bytes(digest[:8], "big", signed=True)

    def uniform(self, step: Tensor, position: Tensor) -> Tensor:
        """Return float64 in [0, 1) for broadcastable int64 tensors of steps and absolute positions."""
        return _to_unit(self._state(step, position))

    def gumbel(self, step: Tensor, position: Tensor, vocabulary: int) -> Tensor:
        """Return float64 [..., vocabulary]: standard Gumbel noise for every token; step, position: see `uniform`."""
        token = torch.arange(1, vocabulary + 1, device=position.device)
        unit = _to_unit(_mix(self._state(step, position)[..., None] + token * _GOLDEN))
        return unit.log_().neg_().log_().neg_()

    def _state(self, step: Tensor, position: Tensor) -> Tensor:
        return _mix(_mix(self._key + step * _GOLDEN) + position * _GOLDEN)


def _to_unit(bits: Tensor) -> Tensor:
    return _shift_right(bits, 11).double() * 2.0**-53


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shift_right(x, 30)) * _MIX_1
    x = (x ^ _shift_right(x, 27)) * _MIX_2
    return x ^ _shift_right(x, 31)


def _shift_right(x: Tensor, bits: int) -> Tensor:
    """Return a logical shift; torch's own keeps the sign."""
    return torch.bitwise_right_shift(x, bits) & ((1 << (64 - bits)) - 1)
