"""Forwards of Fast-dLLM, counted as its published code spends them."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from ssd.report.results import Results

COUNTED = "counted_as_published"
"""Column of runs whose forwards are counted as the published code spends them."""
FILLED = "decoder.blocks_filled_by_refresh"


def count_as_published(results: Results) -> Results:
    """Return the results with one more decode forward for every block that a refresh has filled.

    The published code of Fast-dLLM computes that forward with a cache, for a block without a masked position. Times
    stay as measured. Raises ValueError for runs whose samples lack the number of such blocks.
    """
    is_counted = results.runs["decoder"] == "fast_dllm"
    runs = results.runs.assign(**{COUNTED: is_counted})
    samples = results.samples.astype({"decoder.nfe": float, "decoder.nfe.decode": float})
    counted = samples["run_id"].isin(runs["run_id"][is_counted])
    lacking = samples["run_id"][counted & samples[FILLED].isna()].unique()
    if len(lacking):
        raise ValueError(
            f"--count-as-published: {lacking[0]} has no number of blocks filled by a refresh; measure it anew with "
            "overwrite=true"
        )
    for name in ("decoder.nfe", "decoder.nfe.decode"):
        samples[name] += samples[FILLED].where(counted, 0)
    more = samples[counted].groupby("run_id")[FILLED].mean().reindex(runs["run_id"]).fillna(0.0).to_numpy()
    tokens = runs["nfe.decoder"] * runs["tokens_per_forward.decoder"]
    for name in ("nfe.decoder", "nfe.by_kind.decode"):
        runs[name] = pd.to_numeric(runs[name]) + more
    runs["nfe.ratio"] = runs["nfe.reference"] / runs["nfe.decoder"]
    runs["tokens_per_forward.decoder"] = tokens / runs["nfe.decoder"]
    return replace(results, runs=runs, samples=samples, parts=(results,))
