"""Figures for papers, drawn from stored results alone."""

from ssd.report.figures.catalogue import FIGURES, Entry

__all__ = ["FIGURES", "Entry"]
