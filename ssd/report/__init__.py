"""Frames, tables, figures and a page from stored results. It measures nothing, and needs no torch.

results = ssd.report.load("results")
results.runs, results.samples, results.forwards(), results.left_out
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssd.report.results import Results, load

__all__ = ["Results", "load"]


def __getattr__(name: str) -> Any:
    """Import pandas only where frames are read: a run's table needs rich alone."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ssd.report import results

    return getattr(results, name)
