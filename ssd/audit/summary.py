"""What the stored samples of a run say about its identity: rates, margins, cases, and whether its claim holds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ssd.results.reader import Case, Line, StoredRun, case_of, name_of


def audit(run: StoredRun) -> dict[str, Any]:
    """audit.json: all figures of the run's identity; `fails` if it claims to be lossless and is shown not to be."""
    cases, samples = cases_of(run.lines), len(run.lines)
    of_responses, of_orders = (
        Counter(case["class"] for case in cases if case["differs"] == what) for what in ("response", "order")
    )
    identical = samples - of_responses.total()
    same = identical - of_orders.total()
    opinions = Counter((case.get("float64") or {"picks": "unknown"})["picks"] for case in cases)
    failures = failures_of(cases)
    return {
        "run_id": run.folder.name,
        "finished": run.summary is not None,
        "claims_lossless": run.claims_lossless,
        "fails": run.claims_lossless and bool(failures),
        "samples": samples,
        "identity": {
            "rate": identical / samples,
            "identical": identical,
            **{name: of_responses[name] for name in ("numeric", "algorithmic")},
        },
        "order": {
            "rate": same / samples,
            "same": same,
            **{name: of_orders[name] for name in ("numeric", "algorithmic", "unexplained")},
        },
        "token_margins": {
            name: histogram([case.get("token_margin") for case in cases if case["class"] == name])
            for name in ("numeric", "algorithmic")
        },
        "float64": {name: opinions[name] for name in ("reference", "decoder", "both", "neither", "unknown")},
        "numeric_without_float64": sum(case["class"] == "numeric" and not _is_exact(case) for case in cases),
        "failures": failures if run.claims_lossless else [],
        "cases": cases,
    }


def cases_of(lines: Sequence[Line]) -> list[Case]:
    """Every divergence, of responses and of orders alone; the largest token margin first, then position margin.

    A margin that there is not (outside the block or the nucleus, or not to be told) counts as larger than all.
    """
    cases = [case for case in map(case_of, lines) if case is not None]
    return sorted(cases, key=lambda case: (-_size(case, "token_margin"), -_size(case, "position_margin")))


def failures_of(cases: Sequence[Case]) -> list[str]:
    """One line for each case that rounding does not explain, in the order of the samples."""
    what = {"response": "another response", "order": "the same response, committed in another order"}
    return [
        f"{name_of(case['index'], case['repeat'])}: {what[case['differs']]} ({case['class']})"
        for case in sorted(cases, key=lambda case: (case["index"], case["repeat"]))
        if case["class"] != "numeric"
    ]


def histogram(margins: Sequence[float | None]) -> dict[str, int]:
    """Margins counted by decade, smallest first: `0`, then e.g. `1e-3` for [1e-3, 1e-2); `none` counts those not told.

    Decades in between are there even if empty; margins are at least 0.
    """
    decades = Counter(math.floor(math.log10(margin)) for margin in margins if margin)
    counts = {"0": sum(margin == 0 for margin in margins)}
    if decades:
        counts |= {f"1e{decade}": decades[decade] for decade in range(min(decades), max(decades) + 1)}
    return {**counts, "none": sum(margin is None for margin in margins)}


def _is_exact(case: Case) -> bool:
    """Whether float64 had its say on the whole response; earlier runs asked it only about one state."""
    return (case.get("float64") or {}).get("same_steps") is not None


def _size(case: Case, name: str) -> float:
    margin = case.get(name)
    return math.inf if margin is None else margin
