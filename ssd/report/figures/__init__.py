"""Figures for papers, drawn from stored results alone."""

from ssd.report.figures.catalogue import FIGURES
from ssd.report.figures.entry import Entry

__all__ = ["FIGURES", "Entry"]
