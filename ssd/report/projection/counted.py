"""A run's counted forwards, as a roofline needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ssd.report.projection.roofline import Forwards

SAMPLE = ["index", "repeat"]
KIND = ["nodes", "rows", "stored", "context", "logit_rows"]
CACHES = ("none", "prefix", "dual", "vicinity", "dkv", "dkv_prefill", "exact")
"""Caches whose forwards compute whole rows and attend to all that is stored, as the roofline has it."""


def obstacle(forwards: pd.DataFrame, cache: str) -> str | None:
    """Return why forwards cannot be projected, with the remedy if there is one; None if they can."""
    if forwards.empty:
        return "no forwards are stored; measure the run again with runtime.traces=true"
    if cache not in CACHES:
        return f"its cache {cache} computes or reads parts that traces do not count; expected {', '.join(CACHES)}"
    if (forwards["kind"] == "verifier").any():
        return "its decoder also runs an autoregressive verifier, which has another shape; name a run without one"
    if "logit_rows" not in forwards or forwards["logit_rows"].isna().any():
        return "its traces lack the rows that get logits; measure the run again with this version, runtime.traces=true"
    return None


def counted(forwards: pd.DataFrame, generation: Mapping[str, Any]) -> Forwards:
    """Return the mean forwards per response of one side of a run.

    forwards: its rows of `Results.forwards`, without an `obstacle`; generation: the run's options.
    """
    known = forwards.assign(context=_context(forwards, generation["block_length"], generation["cache"]))
    responses = len(forwards[SAMPLE].drop_duplicates())
    counts = known.groupby(KIND).size() / responses
    return Forwards.of(*((*kind, count) for kind, count in counts.items()))


def _context(forwards: pd.DataFrame, block: int, cache: str) -> pd.Series:
    """Return the cached positions that each forward attends to.

    A window attends to the rest of the canvas. An exact cache holds what stands
    left of the block, but for the positions that the forward itself stores.
    """
    if cache == "none":
        return pd.Series(0, index=forwards.index)
    of_sample = forwards.groupby(SAMPLE)
    if cache == "exact":
        prompt = of_sample["stored"].transform("first")  # the first forward stores the prompt's whole blocks
        return prompt + forwards["block"] * block - forwards["stored"]
    return (of_sample["rows"].transform("max") - forwards["rows"]).clip(lower=0)
