"""Frames, tables, figures and a page from stored results. It measures nothing, and needs no torch.

results = ssd.report.load("results")
results.runs, results.samples, results.forwards(), results.left_out
"""

from ssd.report.results import Results, load

__all__ = ["Results", "load"]
