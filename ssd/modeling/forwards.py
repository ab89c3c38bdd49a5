"""The interface of models, and a base for wrappers that change a part of one."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol

import torch
from torch import Tensor

from ssd.modeling.config import ModelConfig
from ssd.modeling.feature_cache import FeatureCache, Renewal
from ssd.modeling.forward_input import ForwardInput
from ssd.modeling.growing_kv_cache import GrowingKVCache, StoredContext
from ssd.modeling.kv_cache import KVCache, SlidingKVCache, Window
from ssd.modeling.path_kv_cache import PackedRows, PathKVCache
from ssd.modeling.transformer import Transformer

Context = KVCache | StoredContext
"""What a window attends to: the cache of a refresh, or the first positions of a growing one."""


class DiffusionModel(Protocol):
    """Interface of masked diffusion models, for decoders and measurements.

    `refresh`, `window`, `append`, `recompute`, `renew`, `window_with_shadow` and `slide` are one forward of the
    transformer each (one NFE). States arrive on the host. Logits stay on the model's device, aligned to the position
    they predict. `new_cache`, `hidden` and `logits` are the parts of a forward; decoders do not call them.
    """

    transformer: Transformer
    config: ModelConfig

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Device of the weights."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Dtype of the weights."""

    @abstractmethod
    def computed_nodes(self, nodes: int) -> int:
        """Number of states computed when a window forward over `nodes` states is requested. Padding makes it larger."""

    @abstractmethod
    def refresh(self, canvas: Tensor, window: Window, kv_cache: KVCache | None = None) -> tuple[Tensor, KVCache]:
        """Run a whole canvas [length] and store the keys and values outside `window`.

        kv_cache: the cache to fill; None: a new one of all positions outside the window.
        Returns the logits [1, rows, vocabulary] of the window's rows, and the cache.
        Raises ValueError if the canvas does not have the window's length.
        """

    @abstractmethod
    def window(self, states: Tensor, window: Window, kv_cache: Context | None = None) -> Tensor:
        """Return logits [nodes, rows, vocabulary] of states [nodes, window] that share one cache.

        Without a cache the window must be the whole canvas (cache mode `none`).
        Raises ValueError if states, window and cache do not fit each other.
        """

    @abstractmethod
    def append(
        self, tokens: Tensor, kv_cache: GrowingKVCache, states: Tensor | None = None, window: Window | None = None
    ) -> Tensor:
        """Store tokens [positions] of finished blocks, and return logits [nodes, rows, vocabulary] of the states.

        states: [nodes, window], directly behind the tokens; all attend to these and to the positions stored before.
        Without states the logits are [1, logits_shift, vocabulary], of the position behind the tokens.
        Only for block-causal models. Raises ValueError if tokens, cache, states and window do not fit each other.
        """

    @abstractmethod
    def window_with_shadow(self, state: Tensor, window: Window, kv_cache: Context | None = None) -> Tensor:
        """Return logits [2, rows, vocabulary] of a state [window] and of its shadows, one mask for each row.

        The first are those of `window`. A shadow stands at its row's position (arXiv 2507.18578). It attends to the
        context, to the other shadows, and to the state except the token at its own position.
        Raises ValueError for a model with shifted logits.
        """

    @abstractmethod
    def slide(self, tokens: Tensor, window: Window, kv_cache: SlidingKVCache) -> Tensor:
        """Return logits [1, rows, vocabulary] of tokens [window], which attend to all stored positions on the left.

        The canvas ends with the window. Positions between the last window's start and this one's keep the keys and
        values of the last forward. Raises ValueError unless the window continues the last one.
        """

    @abstractmethod
    def recompute(self, rows: PackedRows, kv_cache: PathKVCache) -> Tensor:
        """Return logits [nodes, wanted, vocabulary] of the rows' own nodes, from one forward that computes these rows.

        Each row attends to all positions: to those of its own node and of the nodes before it, else to the stored
        ones. The first node's keys and values are stored; those of the others wait for `PathKVCache.adopt`.
        """

    @abstractmethod
    def renew(self, canvas: Tensor, window: Window, features: FeatureCache, renewal: Renewal) -> Tensor:
        """Return logits [1, rows, vocabulary] of a canvas [length], from a forward that renews some of the features."""

    @abstractmethod
    def new_cache(self, window: Window) -> KVCache:
        """Return an empty cache around `window`; a refresh fills it."""

    @abstractmethod
    def new_growing_cache(self, capacity: int) -> GrowingKVCache:
        """Return an empty cache for the finished blocks of a canvas of `capacity` positions; `append` fills it."""

    @abstractmethod
    def hidden(self, forward_input: ForwardInput) -> Tensor:
        """Run one forward. Returns hidden states [nodes, logit rows, hidden_size]."""

    @abstractmethod
    def logits(self, hidden: Tensor) -> Tensor:
        """Return logits [nodes, rows, vocabulary] of hidden states [nodes, rows, hidden_size]."""


class DelegatingModel(DiffusionModel):
    """A wrapper that passes every call to `inner`. A subclass overrides what it changes, and nothing else."""

    def __init__(self, inner: DiffusionModel) -> None:
        self.inner = inner
        self.transformer, self.config = inner.transformer, inner.config

    @property
    def device(self) -> torch.device:
        return self.inner.device

    @property
    def dtype(self) -> torch.dtype:
        return self.inner.dtype

    def computed_nodes(self, nodes: int) -> int:
        return self.inner.computed_nodes(nodes)

    def refresh(self, canvas: Tensor, window: Window, kv_cache: KVCache | None = None) -> tuple[Tensor, KVCache]:
        return self.inner.refresh(canvas, window, kv_cache)

    def window(self, states: Tensor, window: Window, kv_cache: Context | None = None) -> Tensor:
        return self.inner.window(states, window, kv_cache)

    def append(
        self, tokens: Tensor, kv_cache: GrowingKVCache, states: Tensor | None = None, window: Window | None = None
    ) -> Tensor:
        return self.inner.append(tokens, kv_cache, states, window)

    def window_with_shadow(self, state: Tensor, window: Window, kv_cache: Context | None = None) -> Tensor:
        return self.inner.window_with_shadow(state, window, kv_cache)

    def slide(self, tokens: Tensor, window: Window, kv_cache: SlidingKVCache) -> Tensor:
        return self.inner.slide(tokens, window, kv_cache)

    def recompute(self, rows: PackedRows, kv_cache: PathKVCache) -> Tensor:
        return self.inner.recompute(rows, kv_cache)

    def renew(self, canvas: Tensor, window: Window, features: FeatureCache, renewal: Renewal) -> Tensor:
        return self.inner.renew(canvas, window, features, renewal)

    def new_cache(self, window: Window) -> KVCache:
        return self.inner.new_cache(window)

    def new_growing_cache(self, capacity: int) -> GrowingKVCache:
        return self.inner.new_growing_cache(capacity)

    def hidden(self, forward_input: ForwardInput) -> Tensor:
        return self.inner.hidden(forward_input)

    def logits(self, hidden: Tensor) -> Tensor:
        return self.inner.logits(hidden)
