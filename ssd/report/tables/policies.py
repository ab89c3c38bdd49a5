"""Caches and decoders side by side: what each cache costs and which decoders keep their responses over it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ssd.report.groups import groups
from ssd.report.results import Results
from ssd.report.run_labels import labelled
from ssd.report.tables.main import NFE, SPEEDUP, TPF
from ssd.report.tables.table import Column, Row, Table, group_table
from ssd.report.tables.words import decoder_marks, number_column, percent_column, words

CACHE = "config.generation.cache"
UNCACHED = "identity.uncached"


def table(results: Results) -> Table | None:
    """Return the table; None without two runs that differ in their cache."""
    found = [group for group in groups(results.runs, (CACHE,)) if group.rows[CACHE].nunique() > 1]
    return group_table(
        "policies",
        "Caches and decoders",
        "Speedup and identity: against the reference with the same cache, which is stepwise decoding unless a group's "
        "title names another. Identity without a cache: share of responses equal to the reference's without a cache, "
        "if runtime.reference=chain has compared them. Token rows: positions computed per response; with dllm_cache, "
        "those of attention and MLP. TPF: response tokens per forward.",
        (
            Column("cache", (CACHE,), cache_of),
            Column("decoder", ("run_id", "label"), words("label"), marks=decoder_marks),
            percent_column("accuracy (%)", "accuracy.decoder"),
            Column("NFE", NFE.keys, NFE.text),  # nothing is the best of several caches
            number_column("token rows", "token_rows.decoder", 0),
            number_column("TPF", TPF),
            Column(SPEEDUP.head, SPEEDUP.keys, SPEEDUP.text),
            percent_column("identity (%)", "identity.rate"),
            percent_column("identity without a cache (%)", UNCACHED),
        ),
        found,
        [(group.title, _by_cache(group.rows)) for group in found],
        words=2,
    )


def cache_of(row: Row) -> str:
    """Return the cache's name, and its options that differ from their defaults."""
    prefix = f"{CACHE}_options."
    options = {key.removeprefix(prefix): row[key] for key in map(str, row.index) if key.startswith(prefix)}
    return " ".join([row[CACHE], *(f"{name}={_text(value)}" for name, value in options.items() if pd.notna(value))])


def _text(value: Any) -> str:
    """Return an option as it is typed; a column with empty cells has floats for whole numbers."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _by_cache(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows cache by cache, none first, with the identity to the reference without a cache."""
    caches = rows.apply(cache_of, axis=1)
    parts = [labelled(own) for _, own in sorted(rows.groupby(caches), key=lambda part: (part[0] != "none", part[0]))]
    together = pd.concat(parts)
    return together.assign(**{UNCACHED: [_uncached(row) for _, row in together.iterrows()]})


def _uncached(row: Row) -> float | None:
    """Return the share of responses equal to the reference's without a cache; None if it was not measured."""
    if row[CACHE] == "none":
        return float(row["identity.rate"])
    links = row["hops"] if isinstance(row["hops"], list) else []
    return next((link["identity"] for link in links if (link["from"], link["to"]) == ("uncached", "decoder")), None)
