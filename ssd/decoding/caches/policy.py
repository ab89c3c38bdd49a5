"""The interface of cache policies: what the forwards of a block compute, what they attend to, and what they store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple, TypeVar

from torch import Tensor

from ssd.decoding.cache_options import CacheOptions
from ssd.decoding.canvas import Block, Canvas
from ssd.decoding.draft import Draft
from ssd.decoding.settings import GenerationSettings
from ssd.decoding.trace import Kind
from ssd.modeling.forwards import Context, DiffusionModel

Options = TypeVar("Options", bound=CacheOptions)
Dependence = Literal["state", "settled", "path"]
"""What a forward reads besides its own state.

`state`: a function of the committed state, so that every draft verifies exactly; `settled`: fixed after the block's
first forwards, which carry no drafts; `path`: a function of the states before, so that drafts are trees whose nodes
read the entries of the nodes before them.
"""


class Opening(NamedTuple):
    """The first forward of a block, and the context of its other forwards.

    logits: [nodes, rows, vocabulary], from `first_position` on; rows: positions computed for each node; stored:
    see `Event.stored`.
    """

    kind: Kind
    logits: Tensor
    first_position: int
    context: Context | None
    rows: int
    stored: int = 0


class Forward(NamedTuple):
    """A later forward of a block.

    logits: [nodes, rows, vocabulary], from `first_position` on; rows: positions computed for each node; stored: see
    `Event.stored`.
    """

    logits: Tensor
    first_position: int
    rows: int
    stored: int = 0


class CachePolicy(ABC):
    """The cache of one response. The decoding loop opens a block, then evaluates a draft and adopts a path in turn."""

    caveat: ClassVar[str | None] = None
    """In which way responses are those of an approximation; None: they equal those without a cache."""
    depends_on: ClassVar[Dependence] = "state"
    """What stored keys and values depend on, see `Dependence`; it decides which drafts verify exactly."""
    accepts_drafts: ClassVar[bool] = True
    """Whether a forward can evaluate several states."""
    has_plain_windows: ClassVar[bool] = False
    """Whether all forwards but a block's first are the windows of `block_at` over the opening's context. Engines with
    static shapes, costs of forwards and decoders with forwards of their own need such windows."""
    refreshes: ClassVar[Literal["block", "response"] | None] = None
    """Which first forwards compute the whole canvas, of each block or of the response alone, if all others are plain
    windows; None: no cache is filled so."""
    spans_blocks: ClassVar[bool] = False
    """Whether a block's forwards read what was stored, or counted, in earlier blocks, and the canvas does not give."""
    has_decided_rows: ClassVar[bool] = True
    """Whether each forward computes the decided positions whose logits it returns, so that these have confidences."""
    shares_forwards: ClassVar[bool] = True
    """Whether responses of a batch can share a forward."""
    verifies_later_blocks: ClassVar[bool] = False
    """Whether a block's forwards give the logits that a later block's forwards give for the same state, so that drafts
    in later blocks verify exactly."""

    def __init__(self, settings: GenerationSettings) -> None:
        self.settings = settings

    def options(self, kind: type[Options]) -> Options:
        """Return the options of the settings. Raises TypeError for those of another cache."""
        if not isinstance(self.settings.options, kind):
            raise TypeError(f"{type(self).__name__} expects {kind.__name__}, but the settings have {self.settings}")
        return self.settings.options

    @abstractmethod
    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        """Run a block's first forward over states [nodes, span], the current one first.

        drafts: whether the next draft needs the logits of all masked positions.
        """

    def evaluate(
        self, model: DiffusionModel, canvas: Canvas, draft: Draft, block: Block, context: Context | None
    ) -> Forward:
        """Run a later forward over the draft's states, each placed in the canvas."""
        states = draft.states[:, : block.span_stop - block.start]
        logits = model.window(in_window(canvas, states, block), block.window, context)
        return Forward(logits, block.window.first_row, block.window.size)

    def adopt(self, path: Sequence[int]) -> None:  # noqa: B027
        """Keep what the accepted nodes of the last forward have stored, node after node. Each node is a step."""

    @property
    def is_settled(self) -> bool:
        """Whether the next forward may carry drafts. A block's first forwards may not if they decide what is stored."""
        return True

    def store(self, model: DiffusionModel, canvas: Canvas, block: Block) -> int:
        """Store what a block attends to in a forward without states. Returns its number of positions; 0: no forward."""
        return 0

    def fill(self, model: DiffusionModel, canvas: Canvas, stop: int) -> Context | None:
        """Store the positions up to `stop` at once, if the policy keeps positions from block to block."""
        return None

    def rewind(self, stop: int) -> None:  # noqa: B027
        """Forget stored positions from `stop` on."""


def open_whole(model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block) -> Opening:
    """Run a block's first forward without a cache."""
    logits = model.window(in_window(canvas, states, block), block.refresh)
    return Opening(kind_of(len(states)), logits, block.refresh.first_row, None, block.window.size)


def kind_of(nodes: int) -> Kind:
    """Return the kind of a forward that fills no cache."""
    return "decode" if nodes == 1 else "verify"


def in_window(canvas: Canvas, states: Tensor, block: Block) -> Tensor:
    """Return tokens [nodes, window]: states [nodes, span] within the canvas around them."""
    window = block.window
    tokens = canvas.tokens[window.start : window.stop].repeat(len(states), 1)
    tokens[:, block.start - window.start : block.span_stop - window.start] = states
    return tokens
