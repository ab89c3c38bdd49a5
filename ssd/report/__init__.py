"""From stored results to frames, tables, figures and a page. Nothing here measures; nothing here needs torch.

results = ssd.report.load("results")
results.runs, results.samples, results.forwards(), results.left_out
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssd.report.results import Results, load

__all__ = ["Results", "load"]


def __getattr__(name: str) -> Any:
    """Import pandas only for frames: the trace viewer needs none."""
    if name not in __all__:
        raise AttributeError(f"module 'ssd.report' has no attribute {name!r}")
    from ssd.report import results

    return getattr(results, name)
