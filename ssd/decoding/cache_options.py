"""Options of the cache policies, and the windows that each policy's forwards compute."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, get_args, get_type_hints

Grid = Literal["prompt", "absolute"]
Windows = Literal["whole", "suffix", "block", "response"]
"""The positions that the window of a block includes: the whole canvas, the block and everything after it, the block,
or the response."""


@dataclass(frozen=True)
class CacheOptions:
    """A cache without options, whose forwards compute the whole canvas."""

    grids: ClassVar[tuple[Grid, ...]] = ("prompt",)
    """The grids of blocks that the cache serves: models with full attention have `prompt`, block-causal ones the
    other."""

    @property
    def windows(self) -> Windows:
        return "whole"

    @property
    def opens_by_refresh(self) -> bool:
        """Whether only a block's first forward computes the position before the block."""
        return self.windows in ("suffix", "block")

    @property
    def is_random(self) -> bool:
        """Whether responses depend on the seed."""
        return False


class NoneOptions(CacheOptions):
    grids = ("prompt", "absolute")


class PrefixOptions(CacheOptions):
    @property
    def windows(self) -> Windows:
        return "suffix"


class DualOptions(CacheOptions):
    @property
    def windows(self) -> Windows:
        return "block"


class ExactOptions(DualOptions):
    grids = ("absolute",)


@dataclass(frozen=True)
class DKVOptions(CacheOptions):
    """interval: a block's steps 0, 1 and all multiples of it recompute everything."""

    interval: int = 8

    def __post_init__(self) -> None:
        require_count("interval", self.interval)


@dataclass(frozen=True)
class DPadOptions(CacheOptions):
    """base: the cache that computes the shorter canvas; density, scale, window: a suffix position at distance d from
    the block stays with probability scale · φ(density · d / (window - 1)) if d < window."""

    base: Literal["none", "prefix", "dual"] = "none"
    density: float = 4.0
    scale: float = 2.0
    window: int = 256

    def __post_init__(self) -> None:
        require_name("base", self.base, get_type_hints(type(self))["base"])
        require_positive("density", self.density)
        if math.isinf(self.density):
            raise ValueError(
                f"generation.cache_options.density={self.density}: expected a finite number; pass "
                "generation.cache_options.window=1 if only the position next to the block may stay"
            )
        require_positive("scale", self.scale)
        require_count("window", self.window, least=0)

    @property
    def windows(self) -> Windows:
        return OPTIONS[self.base]().windows

    @property
    def is_random(self) -> bool:
        return True


@dataclass(frozen=True)
class SparseOptions(CacheOptions):
    """retention: share of the positions outside the block that stay; kernel: see `SelectiveKVCache`;
    delay: number of a block's forwards before the one that selects."""

    retention: float = 0.5
    kernel: int = 3
    delay: int = 1

    def __post_init__(self) -> None:
        require_share("retention", self.retention)
        require_count("kernel", self.kernel)
        if not self.kernel % 2:
            raise ValueError(f"generation.cache_options.kernel={self.kernel}: expected an odd number")
        require_count("delay", self.delay, least=0)

    @property
    def windows(self) -> Windows:
        return "block"

    @property
    def opens_by_refresh(self) -> bool:
        return not self.delay


@dataclass(frozen=True)
class DLLMCacheOptions(CacheOptions):
    """prompt_interval, response_interval: number of steps from one full forward of these positions to the next; ratio:
    share of the response that the steps between renew in each layer."""

    prompt_interval: int = 50
    response_interval: int = 7
    ratio: float = 0.25

    def __post_init__(self) -> None:
        require_count("prompt_interval", self.prompt_interval)
        require_count("response_interval", self.response_interval)
        require_share("ratio", self.ratio)


@dataclass(frozen=True)
class VicinityOptions(DualOptions):
    """before, after: number of positions that a block's first forward also computes, left of the last finished block
    and behind its own."""

    before: int = 32
    after: int = 32

    def __post_init__(self) -> None:
        require_count("before", self.before, least=0)
        require_count("after", self.after, least=0)


class DKVPrefillOptions(CacheOptions):
    @property
    def windows(self) -> Windows:
        return "response"


OPTIONS: dict[str, type[CacheOptions]] = {
    "none": NoneOptions,
    "prefix": PrefixOptions,
    "dual": DualOptions,
    "vicinity": VicinityOptions,
    "dkv": DKVOptions,
    "dkv_prefill": DKVPrefillOptions,
    "dpad": DPadOptions,
    "sparse": SparseOptions,
    "dllm_cache": DLLMCacheOptions,
    "exact": ExactOptions,
}
"""The options of each value of generation.cache."""


def caches_of(grid: Grid) -> list[str]:
    """Return the names of the caches that serve this grid."""
    return [name for name, kind in OPTIONS.items() if grid in kind.grids]


def options_of(cache: str, given: CacheOptions | Mapping[str, Any] | None) -> CacheOptions:
    """Return the options of a cache. None stands for a default. Raises ValueError naming what is wrong."""
    kind = OPTIONS[cache]
    if isinstance(given, CacheOptions):
        if type(given) is not kind:
            raise ValueError(
                f"generation.cache_options={given} with generation.cache={cache}: these are options of another cache; "
                "pass cache_options=None for the defaults"
            )
        return given
    if not isinstance(given, Mapping | None):
        raise ValueError(f"generation.cache_options={given}: expected null or options, as {{interval: 4}}")
    values = {name: value for name, value in (given or {}).items() if value is not None}
    known = [field.name for field in fields(kind)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(
            f"generation.cache_options.{unknown[0]}={values[unknown[0]]}: generation.cache={cache} has "
            + (f"the options {', '.join(known)}" if known else "no options; leave it out, or choose another cache")
        )
    return kind(**values)


def require_count(name: str, value: object, least: int = 1) -> None:
    """Raise ValueError unless the option is a whole number of at least `least`."""
    if type(value) is not int or value < least:
        raise ValueError(f"generation.cache_options.{name}={value}: expected a whole number of at least {least}")


def require_share(name: str, value: object) -> None:
    """Raise ValueError unless the option is a number from 0 to 1."""
    if type(value) not in (int, float) or not 0 <= value <= 1:  # type: ignore[operator]
        raise ValueError(f"generation.cache_options.{name}={value}: expected a number from 0 to 1")


def require_positive(name: str, value: object) -> None:
    """Raise ValueError unless the option is a number above 0; infinity is one."""
    if type(value) not in (int, float) or not value > 0:  # type: ignore[operator]
        raise ValueError(f"generation.cache_options.{name}={value}: expected a number above 0")


def require_name(name: str, value: object, kind: Any) -> None:
    """Raise ValueError unless the option is one of the names of a Literal."""
    if value not in get_args(kind):
        raise ValueError(f"generation.cache_options.{name}={value}: expected one of {', '.join(get_args(kind))}")
