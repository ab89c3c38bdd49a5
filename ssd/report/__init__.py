"""Frames, tables, figures and a page from stored results. It measures nothing, and needs no torch."""
