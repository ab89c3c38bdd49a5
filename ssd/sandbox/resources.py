"""What the kernel lets a process use."""

from __future__ import annotations

import resource
from collections.abc import Mapping


def set_limits(values: Mapping[int, int]) -> None:
    """Limit this process for good: a value per RLIMIT constant, or the limit that it already has if that is lower."""
    for kind, value in values.items():
        most = resource.getrlimit(kind)[1]
        allowed = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.setrlimit(kind, (allowed, allowed))
