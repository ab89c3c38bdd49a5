"""The interface of decoders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from torch import nn

from ssd.decoding.cache_policy import cache_policy, check_pair, plain_caches
from ssd.decoding.settings import LATER_BLOCKS, GenerationSettings, SpecialTokens, Workload
from ssd.decoding.trace import Trace
from ssd.modeling.config import ModelConfig
from ssd.modeling.forwards import DiffusionModel

if TYPE_CHECKING:
    from ssd.decoding.block_decoder import BlockDecoder


@dataclass(frozen=True)
class Decoded:
    """A response and the trace of its decoding."""

    response_ids: list[int]
    trace: Trace


class Decoder(ABC):
    """Interface of decoders: from a prompt to a response and a trace. A decoder does not print or measure time."""

    config_name: str | None = None
    """The name that chooses the decoder on the command line; None: no name does."""
    in_block_order = True
    """Whether all picks are in the leftmost unfinished block."""
    needs_verifier = False
    """Whether `load` loads a second model."""
    needs_timing = False
    """Whether `load` measures the cost of forwards, and drafts depend on it."""
    needs_plain_windows = False
    """Whether the decoder runs forwards of its own over the context of a block's first one."""
    verifier: nn.Module | None = None
    """A second model; its forwards are counted and timed separately."""
    _arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def __new__(cls, *arguments: Any, **options: Any) -> Self:
        decoder = super().__new__(cls)
        decoder._arguments = arguments, options
        return decoder

    def __repr__(self) -> str:
        """Return the class with all options of its constructor, defaults included."""
        positional, named = self._arguments
        bound = signature(type(self).__init__).bind(self, *positional, **named)
        bound.apply_defaults()
        options = bound.signature.parameters.values()
        kinds = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        names = [option.name for option in options if option.kind in kinds and option.name != "self"]
        values = bound.arguments | self.resolved()
        return f"{type(self).__name__}({', '.join(f'{name}={values[name]!r}' for name in names)})"

    @abstractmethod
    def decode(
        self,
        model: DiffusionModel,
        prompt_ids: Sequence[int],
        settings: GenerationSettings,
        special: SpecialTokens,
    ) -> Decoded:
        """Decode one response of settings.gen_length tokens. Raises ValueError for a prompt that does not fit."""

    @property
    def most_nodes(self) -> int:
        """The largest number of states in one window forward of this decoder."""
        return 1

    def lookahead(self, settings: GenerationSettings) -> int:
        """Return the number of blocks after the current one that drafts may include."""
        return 0

    @property
    def as_given(self) -> str:
        """The words that choose the decoder, for messages; its class if it has no such name."""
        return f"decoder={self.config_name}" if self.config_name else type(self).__name__

    @property
    def within_block(self) -> str:
        """The words of this decoder that keep its drafts in the current block, for messages."""
        options = signature(type(self).__init__).parameters
        own = [f"decoder.{name}={str(options[name].default).lower()}" for name in LATER_BLOCKS if name in options]
        return own[0] if own else "another decoder"

    @property
    def reference(self) -> BlockDecoder | None:
        """The decoder that this one is compared with; None: stepwise decoding."""
        return None

    def check(self, settings: GenerationSettings, model: ModelConfig) -> None:  # noqa: B027
        """Raise ValueError for settings or a model that this decoder does not support. Runs before loading."""

    def check_all(self, settings: GenerationSettings, model: ModelConfig) -> None:
        """Raise ValueError unless model, cache and decoder fit each other. Runs before loading."""
        check_pair(settings, model)
        self.check_cache(settings)
        self.check(settings, model)

    def check_cache(self, settings: GenerationSettings) -> None:
        """Raise ValueError for a cache that this decoder cannot have."""
        policy, name = cache_policy(settings), f"generation.cache={settings.cache} with {self.as_given}"
        if self.most_nodes > 1 and not policy.accepts_drafts:
            raise ValueError(
                f"{name}: a forward over this cache computes one state, so that no draft is verified; pass another "
                "cache, or a decoder without drafts, as decoder=stepwise"
            )
        if policy.has_plain_windows:
            return
        remedy = f"pass generation.cache={' or '.join(plain_caches(settings.grid))}"
        if self.needs_plain_windows:
            raise ValueError(
                f"{name}: this decoder computes windows of its own, which this cache does not have; {remedy}"
            )
        if self.needs_timing:
            raise ValueError(
                f"generation.cache={settings.cache} with decoder.depth=auto: the number of nodes depends on the cost "
                f"of a forward, which this cache varies; {remedy}, or decoder.costs=[[1,1],[8,1.3]]"
            )

    def caveat(self, settings: GenerationSettings) -> str | None:
        """Return the reason if these settings make a lossless decoder lossy, otherwise None."""
        return None

    def resolved(self) -> dict[str, Any]:
        """Return the values of options that null leaves to the decoder, so that equal runs have equal ids."""
        return {}

    def files(self) -> list[Path]:
        """Return the files, other than the model's, that the decoder's results depend on."""
        return []

    def load(  # noqa: B027
        self, model: DiffusionModel, folder: Path, settings: GenerationSettings, work: Workload
    ) -> None:
        """Load everything else that the decoder needs. Called once before decoding; folder: the model's."""

    @property
    def most_steps(self) -> int | None:
        """The most steps of the reference per forward, reached if every draft is right; None: it drafts nothing."""
        return None

    def measured(self) -> dict[str, Any]:
        """Return measurements of `load` that decoding depends on, as plain data; they are stored with the run."""
        return {}

    def restore(self, measured: dict[str, Any]) -> None:  # noqa: B027
        """Use the measurements of the run's beginning instead of new ones; called before `load`."""

    def keep_confidences(self) -> None:
        """From now on keep the confidences of decided positions in traces. Raises ValueError where that is impossible.

        Without a cache all positions of the response keep theirs, otherwise those of the current block.
        """
        raise ValueError(
            f"{self.as_given} keeps no confidences of decided positions, because it has a decoding loop of its own; "
            "pass runtime.confidences=false"
        )
