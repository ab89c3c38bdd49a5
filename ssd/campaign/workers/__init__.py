"""Prompts of one run, or of all runs of a sweep, decoded by several model replicas: Ray actors, one per device."""
