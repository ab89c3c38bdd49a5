"""The table of cache policies, and checks of a cache before anything is loaded."""

from __future__ import annotations

from ssd.decoding.cache_options import Grid, caches_of
from ssd.decoding.caches.dkv import DKV
from ssd.decoding.caches.dllm_cache import DLLMCache
from ssd.decoding.caches.dpad import DPad
from ssd.decoding.caches.exact import ExactCache
from ssd.decoding.caches.policy import CachePolicy
from ssd.decoding.caches.refreshed import DKVPrefill, NoCache, RefreshedCache
from ssd.decoding.caches.sparse import Sparse
from ssd.decoding.caches.vicinity import Vicinity
from ssd.decoding.canvas import commits_block_start
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.config import ModelConfig

POLICIES: dict[str, type[CachePolicy]] = {
    "none": NoCache,
    "prefix": RefreshedCache,
    "dual": RefreshedCache,
    "vicinity": Vicinity,
    "dkv": DKV,
    "dkv_prefill": DKVPrefill,
    "dpad": DPad,
    "sparse": Sparse,
    "dllm_cache": DLLMCache,
    "exact": ExactCache,
}
"""The policy of each value of generation.cache; its options are in `ssd.decoding.cache_options.OPTIONS`."""


def cache_policy(settings: GenerationSettings) -> CachePolicy:
    """Return the policy of a new response."""
    return POLICIES[settings.cache](settings)


def plain_caches(grid: Grid) -> list[str]:
    """Return the names of the grid's caches with plain windows."""
    return [name for name in caches_of(grid) if POLICIES[name].has_plain_windows]


def caches_across_blocks(grid: Grid) -> list[str]:
    """Return the names of the grid's caches over which drafts in later blocks verify exactly."""
    return [name for name in caches_of(grid) if POLICIES[name].verifies_later_blocks]


def check_pair(settings: GenerationSettings, config: ModelConfig) -> None:
    """Raise ValueError for a grid, cache or block that the model's attention does not allow."""
    grid: Grid = "prompt" if config.causal_block is None else "absolute"
    if settings.grid != grid:
        attention = "full attention" if config.causal_block is None else "block-causal attention"
        raise ValueError(
            f"generation.grid={settings.grid}, generation.cache={settings.cache}: model family {config.family} has "
            f"{attention}; pass generation.grid={grid} and generation.cache={' or '.join(caches_of(grid))}"
        )
    if config.causal_block not in (None, settings.block_length):
        raise ValueError(
            f"generation.block_length={settings.block_length}: the model attends in blocks of {config.causal_block}; "
            f"pass generation.block_length={config.causal_block}"
        )
    few = settings.steps_per_block * settings.part_length < 2 * settings.block_length and settings.part_length > 1
    if few and grid == "absolute" and commits_block_start(settings, config.logits_shift):
        raise ValueError(
            f"generation.steps={settings.steps}: a block's first step commits its first position alone; expected at "
            "least two steps for each sub-block"
        )
    if settings.block_start == "ranked" and settings.cache == "exact" and config.logits_shift:
        raise ValueError(
            "generation.block_start=ranked with generation.cache=exact: the position that predicts a block's first one "
            "is stored and not computed again; pass generation.block_start=commit_first"
        )
