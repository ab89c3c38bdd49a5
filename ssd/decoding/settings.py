"""Settings of generation, shared by the reference and every decoder, and checked on construction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self, get_args, get_type_hints

from ssd.decoding.cache_options import OPTIONS, CacheOptions, Grid, caches_of, options_of
from ssd.decoding.token_frequencies import MAKE_ONE, find_frequencies, token_frequencies

RankingName = Literal[
    "low_confidence", "random", "sequential", "pc", "maskgit_plus", "topk_margin", "entropy", "origin"
]
LLADA_RANKINGS: tuple[RankingName, ...] = ("low_confidence", "random", "sequential", "pc")
LATER_BLOCKS = ("lookahead", "eager")
"""Options of decoders with which drafts reach into later blocks; their defaults keep drafts in the current block."""


def prompt_in_first_block(prompt_length: int, block_length: int, grid: Grid) -> int:
    """Return the number of the prompt's last tokens that share the first block with the response."""
    return prompt_length % block_length if grid == "absolute" else 0


@dataclass(frozen=True)
class SpecialTokens:
    """Special token ids: the mask and the end tokens. Raises ValueError without an end token apart from the mask."""

    mask_id: int
    end_ids: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.end_ids or self.mask_id in self.end_ids:
            raise ValueError(
                f"model.end_ids={list(self.end_ids)}: expected at least one id, the mask's {self.mask_id} apart"
            )

    @property
    def fill_id(self) -> int:
        """EOS, the first end token: it fills a response after a stop."""
        return self.end_ids[0]


@dataclass(frozen=True)
class Workload:
    """Expected work of a decoder: a typical prompt's length in tokens, and the number of responses per forward."""

    prompt_length: int = 128
    batch_size: int = 1


@dataclass(frozen=True)
class GenerationSettings:
    """The `generation` group. Raises ValueError naming the key, its value and the expected ones."""

    gen_length: int = 256
    block_length: int = 32
    sub_block_length: int | None = None
    """Only the leftmost sub-block with masks is picked from; None: sub-blocks are whole blocks."""
    grid: Grid = "prompt"
    """Blocks begin at the prompt's end, or (`absolute`) at multiples of block_length from position 0."""
    steps: int | None = None
    """Steps per response, on an absolute grid per block; None: one token per step."""
    cache: str = "dual"
    """A name of `ssd.decoding.cache_options.OPTIONS`."""
    cache_options: CacheOptions | Mapping[str, Any] | None = None
    """The cache's options; of a mapping, names that are missing or None have their default. None: all defaults.

    Once constructed it is None for a cache without options, and the cache's own class for all others.
    """
    store: Literal["fused", "separate"] = "fused"
    """Whether the exact cache stores a full block in the next block's first forward, or in a forward of its own."""
    ranking: RankingName = "low_confidence"
    token_frequencies: str | None = None
    """Ranking `pc`: file of token frequencies."""
    pc_decay: float = 0.25
    pc_cap: float = 10.0
    schedule: Literal["uniform", "dream"] = "uniform"
    temperature: float = 0.0
    """0: greedy; above 0: tokens are sampled."""
    top_p: float = 1.0
    top_k: int | None = None
    confidence_dtype: Literal["float64", "logits"] = "float64"
    eos: Literal["keep", "suppress_logits", "suppress_confidence"] = "keep"
    stop: Literal["none", "eos_block", "eos_any"] = "none"
    block_start: Literal["commit_first", "ranked"] = "commit_first"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("gen_length", "block_length"):
            value = getattr(self, name)
            if not _is_whole(value) or value < 1:
                raise ValueError(f"generation.{name}={value}: expected a whole number of at least 1")
        if self.grid == "prompt" and self.gen_length % self.block_length:
            divisors = [n for n in range(1, self.gen_length + 1) if self.gen_length % n == 0]
            near = min(divisors, key=lambda n: abs(n - self.block_length))
            raise ValueError(
                f"generation.gen_length={self.gen_length} is not divisible by generation.block_length="
                f"{self.block_length}; generation.block_length={near} would do"
            )
        for name, hint in get_type_hints(type(self)).items():
            if getattr(hint, "__origin__", None) is Literal and getattr(self, name) not in get_args(hint):
                raise ValueError(
                    f"generation.{name}={getattr(self, name)!r}: expected one of {', '.join(get_args(hint))}"
                )
        self._check_cache()
        self._check_blocks()
        self._check_steps()
        self._check_sampling()
        self._check_frequencies()
        if not _is_whole(self.seed):
            raise ValueError(f"generation.seed={self.seed!r}: expected a whole number")

    def _check_cache(self) -> None:
        if self.cache not in OPTIONS:
            near = get_close_matches(str(self.cache), OPTIONS, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ValueError(f"generation.cache={self.cache!r}: expected one of {', '.join(OPTIONS)}{hint}")
        if self.cache not in caches_of(self.grid):
            raise ValueError(
                f"generation.cache={self.cache} with generation.grid={self.grid}: this grid has "
                f"{' or '.join(caches_of(self.grid))}; models with full attention (LLaDA, Dream) have the grid prompt, "
                "block-causal ones (SDAR, Fast-dLLM v2) the grid absolute"
            )
        if self.store == "separate" and self.cache != "exact":
            raise ValueError(
                f"generation.store=separate with generation.cache={self.cache}: expected fused, because only the exact "
                "cache stores full blocks; pass generation.store=fused"
            )
        options = options_of(self.cache, self.cache_options)
        object.__setattr__(self, "cache_options", options if fields(options) else None)

    def _check_blocks(self) -> None:
        part = self.sub_block_length
        if part is not None and (not _is_whole(part) or part < 1 or self.block_length % part):
            raise ValueError(
                f"generation.sub_block_length={part}: expected null or a divisor of generation.block_length="
                f"{self.block_length}"
            )

    def _check_steps(self) -> None:
        if self.steps is None:
            return
        parts = self.block_length // self.part_length
        if self.grid == "absolute":
            if not _is_whole(self.steps) or not 1 <= self.steps <= self.block_length or self.steps % parts:
                raise ValueError(
                    f"generation.steps={self.steps}: expected null (one token per step) or the number of steps per "
                    f"block, from {parts} to {self.block_length}" + (f" by {parts}" if parts > 1 else "")
                )
            return
        if not _is_whole(self.steps) or not self.blocks <= self.steps <= self.gen_length:
            raise ValueError(
                f"generation.steps={self.steps}: expected null (one token per step) or a whole number from "
                f"{self.blocks} (the number of blocks) to {self.gen_length} (gen_length)"
            )
        if self.steps % (self.blocks * parts):
            even = max(1, self.steps // (self.blocks * parts)) * self.blocks * parts
            raise ValueError(
                f"generation.steps={self.steps} does not spread evenly over {self.blocks} blocks of {parts} parts; "
                f"{even} would"
                if parts > 1
                else f"generation.steps={self.steps} does not spread evenly over {self.blocks} blocks; {even} would"
            )

    def _check_sampling(self) -> None:
        if not _is_number(self.temperature) or not 0 <= self.temperature < math.inf:
            raise ValueError(f"generation.temperature={self.temperature}: expected 0 (greedy) or a number above it")
        if not _is_number(self.top_p) or not 0 < self.top_p <= 1:
            raise ValueError(f"generation.top_p={self.top_p}: expected a number above 0, and 1 at most (all tokens)")
        if self.top_k is not None and (not _is_whole(self.top_k) or self.top_k < 1):
            raise ValueError(f"generation.top_k={self.top_k}: expected null (all tokens) or a whole number above 0")

    def with_cache(self, cache: str) -> Self:
        """Return the settings with this cache. Another one stores as by default, with its default options."""
        return self if cache == self.cache else replace(self, cache=cache, cache_options=None, store="fused")

    @property
    def options(self) -> CacheOptions:
        """The options of the cache, or those without any."""
        return options_of(self.cache, self.cache_options)

    def _check_frequencies(self) -> None:
        for name in ("pc_decay", "pc_cap"):
            value = getattr(self, name)
            if not _is_number(value) or not value >= 0:
                raise ValueError(f"generation.{name}={value}: expected a number of at least 0")
        if self.ranking == "pc" and self.token_frequencies is None:
            raise ValueError(f"generation.ranking=pc needs generation.token_frequencies=FILE; {MAKE_ONE}")
        if self.ranking != "pc" and (self.token_frequencies, self.pc_decay, self.pc_cap) != (None, 0.25, 10.0):
            raise ValueError(
                "generation.token_frequencies, pc_decay and pc_cap have no effect with generation.ranking="
                f"{self.ranking}; leave them out, or pass generation.ranking=pc"
            )
        if self.token_frequencies is not None:
            token_frequencies(self.token_frequencies)

    def files(self) -> list[Path]:
        """Return the files that results depend on."""
        return [] if self.token_frequencies is None else [find_frequencies(self.token_frequencies)]

    @property
    def blocks(self) -> int:
        """Number of blocks of a response; on an absolute grid the largest number."""
        if self.grid == "prompt":
            return self.gen_length // self.block_length
        return -(-(self.block_length - 1 + self.gen_length) // self.block_length)

    @property
    def causal_block(self) -> int | None:
        """The block length of a block-causal model; None on a grid for full attention."""
        return self.block_length if self.grid == "absolute" else None

    @property
    def most_steps(self) -> int:
        """The number of steps with one token each: per response, on an absolute grid per block."""
        return self.block_length if self.grid == "absolute" else self.gen_length

    @property
    def part_length(self) -> int:
        """Length of the parts of a block that are filled one after another: its sub-blocks, or the block itself."""
        return self.sub_block_length or self.block_length

    @property
    def is_random(self) -> bool:
        """Whether the response depends on the seed."""
        return self.temperature > 0 or self.ranking in ("random", "origin") or self.options.is_random

    @property
    def steps_per_block(self) -> int:
        if self.steps is None:
            return self.block_length
        return self.steps if self.grid == "absolute" else self.steps // self.blocks


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
