"""The directed decoding maps of runs that stored the confidences of decided positions."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pandas as pd

from ssd.metrics.decoding_map import decoding_map
from ssd.report.results import Results

Maps: TypeAlias = dict[tuple[int, int], np.ndarray]
"""By index and repeat of a response its map, float64 [steps, positions]."""


def maps_of(results: Results) -> dict[tuple[str, str], Maps]:
    """Return the maps by run and side, for runs with runtime.confidences=true."""
    forwards = results.forwards()
    if forwards.empty or "decided" not in forwards:  # frames of an earlier version lack the column
        return {}
    kept = forwards[[isinstance(values, list) and len(values) > 0 for values in forwards["decided"]]]
    lengths = results.runs.set_index("run_id")["config.generation.gen_length"]
    found: dict[tuple[str, str], Maps] = {}
    for (run_id, side, index, repeat), events in kept.groupby(["run_id", "side", "index", "repeat"]):
        confidences = _confidences(events.sort_values("forward"), int(lengths[run_id]))
        found.setdefault((run_id, side), {})[index, repeat] = decoding_map(confidences)
    return found


def _confidences(events: pd.DataFrame, length: int) -> np.ndarray:
    """Return float64 [steps, length] of one response; NaN for positions that are masked or were not computed."""
    found = []
    for decided, accepted in zip(events["decided"], events["accepted"], strict=True):
        steps = np.array(decided, dtype=float).reshape(accepted + 1, -1)[:, :length]  # a forward's accepted path
        found.append(np.pad(steps, ((0, 0), (0, length - steps.shape[1])), constant_values=np.nan))
    return np.concatenate(found)
