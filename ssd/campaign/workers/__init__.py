"""Runs whose prompts are decoded by several workers: Ray actors, one per device."""
