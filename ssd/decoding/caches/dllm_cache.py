"""dLLM-Cache (arXiv 2506.06295): layers keep their features, and renew those that changed most."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from ssd.decoding.cache_options import DLLMCacheOptions
from ssd.decoding.caches.policy import CachePolicy, Forward, Opening, in_window, kind_of
from ssd.decoding.canvas import Block, Canvas
from ssd.decoding.draft import Draft
from ssd.decoding.settings import GenerationSettings
from ssd.modeling.feature_cache import FeatureCache, Renewal
from ssd.modeling.forwards import Context, DiffusionModel


class DLLMCache(CachePolicy):
    """The prompt is renewed every `prompt_interval` steps of the response, the response every `response_interval`
    steps. Between them each layer renews a share of the response. A forward has one state.

    A forward's number of rows is the mean over layers of the positions that have queries, rounded up.
    The values of the response, which every layer computes to choose among them, are not counted.
    """

    caveat = "most positions keep what layers gave in earlier steps"
    depends_on = "path"
    accepts_drafts = False
    spans_blocks = True
    shares_forwards = False

    def __init__(self, settings: GenerationSettings) -> None:
        super().__init__(settings)
        self._options = self.options(DLLMCacheOptions)
        self._features: FeatureCache | None = None
        self._step = 0

    def open(self, model: DiffusionModel, canvas: Canvas, states: Tensor, block: Block, drafts: bool) -> Opening:
        kind = kind_of(1) if self._step else "refresh"
        forward = self.evaluate(model, canvas, Draft.of_state(states[0], 0), block, None)
        return Opening(kind, forward.logits, forward.first_position, None, forward.rows)

    def evaluate(
        self, model: DiffusionModel, canvas: Canvas, draft: Draft, block: Block, context: Context | None
    ) -> Forward:
        options, window = self._options, block.window
        self._features = self._features or FeatureCache(canvas.prompt_length)
        prompt, response = (self._step % each == 0 for each in (options.prompt_interval, options.response_interval))
        renewal = Renewal(prompt, response, int(options.ratio * self.settings.gen_length))
        logits = model.renew(in_window(canvas, draft.states, block)[0], window, self._features, renewal)
        first_row = window.first_row - model.config.logits_shift
        return Forward(logits, window.first_row, self._rows(canvas, renewal, first_row, model.config.layers))

    def adopt(self, path: Sequence[int]) -> None:
        self._step += len(path)

    def _rows(self, canvas: Canvas, renewal: Renewal, first_row: int, layers: int) -> int:
        """Return the mean over layers; the first one computes what the logit rows, from `first_row` on, need of it."""
        response = canvas.length - canvas.prompt_length if renewal.response else renewal.rows
        later = response + (canvas.prompt_length if renewal.prompt else 0)
        first = canvas.length - (0 if renewal.prompt else min(canvas.prompt_length, first_row))
        return math.ceil((first + (layers - 1) * later) / layers)
