"""Cache policies: what the forwards of a block compute, what they attend to, and what they store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

from torch import Tensor

from ssd.decoding.canvas import Block, Canvas, commits_block_start
from ssd.decoding.settings import CACHES, GenerationSettings, Grid
from ssd.decoding.trace import Kind
from ssd.modeling.config import ModelConfig
from ssd.modeling.forwards import Context, DiffusionModel
from ssd.modeling.growing_kv_cache import GrowingKVCache, StoredContext

Dependence = Literal["state", "settled", "path", "outputs"]
"""What a forward reads besides its own state.

`state`: a function of the committed state, so that every draft verifies exactly; `settled`: fixed after the block's
first forwards, which carry no drafts; `path`: a function of the states before, so that drafts are trees whose nodes
read the entries of the nodes before them; `outputs`: the last forward's outputs, so that no draft verifies exactly.
"""


class Opening(NamedTuple):
    """The first forward of a block, and the context of its other forwards.

    logits: [nodes, rows, vocabulary], from `first_position` on; rows: window length; stored: positions computed once
    for the cache, beside the nodes.
    """

    kind: Kind
    logits: Tensor
    first_position: int
    context: Context | None
    rows: int
    stored: int = 0


class CachePolicy(ABC):
    """The cache of one response. Its windows are those of `block_at`."""

    depends_on: ClassVar[Dependence] = "state"
    """What stored keys and values depend on, see `Dependence`; it decides which drafts verify exactly."""
    is_exact: bool = False
    """Whether a block's forwards give the logits of the same state without a cache, so that drafts may cross blocks."""

    @abstractmethod
    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        """Run a block's first forward over states [nodes, span], the current one first.

        drafts: whether the next draft needs the logits of all masked positions.
        """

    def store(self, model: DiffusionModel, canvas: Canvas, block: Block) -> int:
        """Store what a block attends to in a forward without states. Returns its number of positions; 0: no forward."""
        return 0

    def fill(self, model: DiffusionModel, canvas: Canvas, stop: int) -> Context | None:
        """Store the positions up to `stop` at once, if the policy keeps positions from block to block."""
        return None

    def rewind(self, stop: int) -> None:  # noqa: B027
        """Forget stored positions from `stop` on."""


class NoCache(CachePolicy):
    """Every forward computes all positions: the canvas, or with block-causal attention all up to the span's end."""

    def __init__(self, settings: GenerationSettings) -> None:
        self.is_exact = settings.grid == "absolute"

    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        return open_whole(model, canvas, states, block)


class RefreshedCache(CachePolicy):
    """Prefix and dual cache (Fast-dLLM, arXiv 2505.22618): each block's first forward computes the whole canvas."""

    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        if block.window.is_whole:
            return open_whole(model, canvas, states, block)
        logits, context = model.refresh(canvas.tokens, block.refresh)
        return Opening("refresh", logits, block.refresh.first_row, context, canvas.length)


class ExactCache(CachePolicy):
    """Keys and values of all finished blocks of a block-causal model, appended when a block is full.

    `fused` stores a block in the next block's first forward, `separate` in a forward of its own. Both give the same
    keys and values.
    """

    is_exact = True

    def __init__(self, settings: GenerationSettings) -> None:
        self._separate = settings.store == "separate"
        self._settings = settings
        self._cache: GrowingKVCache | None = None

    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        cache = self._of(model, canvas)
        kind: Kind = "refresh" if cache.size < block.start else "decode" if len(states) == 1 else "verify"
        full = canvas.tokens[cache.size : block.start]
        if not len(full):
            context = StoredContext(cache, block.start) if block.start else None
            logits = model.window(states, block.refresh, context)
            return Opening(kind, logits, block.refresh.first_row, context, block.window.size)
        context = StoredContext(cache, block.start)
        if not drafts and self._is_predicted_by_store(model, block):
            return Opening(kind, model.append(full, cache), block.start, context, 0, len(full))
        logits = model.append(full, cache, states, block.refresh)
        return Opening(kind, logits, block.refresh.first_row, context, block.window.size, len(full))

    def store(self, model: DiffusionModel, canvas: Canvas, block: Block) -> int:
        cache = self._of(model, canvas)
        full = canvas.tokens[cache.size : block.start]
        if not self._separate or not len(full) or self._is_predicted_by_store(model, block):
            return 0
        model.append(full, cache)
        return len(full)

    def fill(self, model: DiffusionModel, canvas: Canvas, stop: int) -> Context | None:
        cache = self._of(model, canvas)
        if stop > cache.size:
            model.append(canvas.tokens[cache.size : stop], cache)
        return StoredContext(cache, stop) if stop else None

    def rewind(self, stop: int) -> None:
        if self._cache is not None:
            self._cache.rewind(stop)

    def _of(self, model: DiffusionModel, canvas: Canvas) -> GrowingKVCache:
        self._cache = self._cache or model.new_growing_cache(canvas.length)
        return self._cache

    def _is_predicted_by_store(self, model: DiffusionModel, block: Block) -> bool:
        """Whether the block's first pick comes from the logits of the last stored position (shifted logits)."""
        shift = model.config.logits_shift
        return commits_block_start(self._settings, shift) and block.refresh.first_row == block.start


def cache_policy(settings: GenerationSettings) -> CachePolicy:
    """Return the policy of a new response."""
    if settings.cache == "exact":
        return ExactCache(settings)
    return NoCache(settings) if settings.cache == "none" else RefreshedCache()


def check_pair(settings: GenerationSettings, config: ModelConfig) -> None:
    """Raise ValueError for a grid, cache or block that the model's attention does not allow."""
    grid: Grid = "prompt" if config.causal_block is None else "absolute"
    if settings.grid != grid:
        attention = "full attention" if config.causal_block is None else "block-causal attention"
        raise ValueError(
            f"generation.grid={settings.grid}, generation.cache={settings.cache}: model family {config.family} has "
            f"{attention}; pass generation.grid={grid} and generation.cache={' or '.join(CACHES[grid])}"
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


def open_whole(model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block) -> Opening:
    """Run a block's first forward without a cache."""
    logits = model.window(in_window(canvas, states, block), block.refresh)
    kind: Kind = "decode" if len(states) == 1 else "verify"
    return Opening(kind, logits, block.refresh.first_row, None, block.window.size)


def in_window(canvas: Canvas, states: Tensor, block: Block) -> Tensor:
    """Return tokens [nodes, window]: states [nodes, span] within the canvas around them."""
    window = block.window
    tokens = canvas.tokens[window.start : window.stop].repeat(len(states), 1)
    tokens[:, block.start - window.start : block.span_stop - window.start] = states
    return tokens
