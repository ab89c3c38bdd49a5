"""From stored results to frames, tables, figures and a page. Nothing here measures; nothing here needs torch.

results = ssd.report.load("results")
results.runs, results.samples, results.forwards(), results.left_out
"""

from ssd.report.results import Results, load

__all__ = ["Results", "load"]
