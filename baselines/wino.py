"""WINO, wide in and narrow out (arXiv 2507.18578): commit many tokens, revoke those that a second check rejects."""

from __future__ import annotations

import torch
from torch import Tensor

from baselines.rules.threshold import Threshold
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.canvas import Block
from ssd.decoding.commit_rule import Signals
from ssd.decoding.decoder import Decoder
from ssd.decoding.draft import Draft
from ssd.decoding.scores import Scores
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings
from ssd.decoding.trace import Event, Pick, Trace
from ssd.modeling.config import ModelConfig
from ssd.modeling.forwards import Context


class WideIn(Threshold):
    """A row passes if its probability exceeds the threshold."""

    def passes(self, signals: Signals, masked: Tensor, order: Tensor) -> Tensor:
        return signals.probability > self.threshold


class WINO(BlockDecoder):
    """Parallel decoding that corrects itself within the block. Lossy.

    threshold: a forward commits the first pick and every other mask of the block whose token is more probable, up to a
    share of the masks; threshold_back: where it commits several, it masks again what earlier forwards of the block
    committed and what is less probable to a shadow, a mask that stands at the token's position and does not see it.
    Published with generation.cache=none; with a cache a shadow attends to the computed window and the cache.
    generation.steps and generation.schedule have no effect. Raises ValueError naming the option and what was expected.
    """

    needs_plain_windows = True

    def __init__(self, threshold: float = 0.6, threshold_back: float = 0.9) -> None:
        if type(threshold) not in (int, float) or not threshold > 0:
            raise ValueError(f"decoder.threshold={threshold}: expected a number above 0")
        if type(threshold_back) not in (int, float) or not threshold_back >= 0:
            raise ValueError(f"decoder.threshold_back={threshold_back}: expected a number of at least 0")
        self.commit = WideIn(threshold)
        self.threshold_back = threshold_back

    def check(self, settings: GenerationSettings, model: ModelConfig) -> None:
        if model.logits_shift:
            raise ValueError(
                f"decoder=wino with model family {model.family}: WINO judges a token by a mask in its place, but this "
                "family predicts a position from its left neighbour; choose a model such as llada"
            )
        if settings.temperature > 0:
            # The noise belongs to a step, and the number of decided tokens, which names the step, comes again.
            raise ValueError(
                f"decoder=wino with generation.temperature={settings.temperature}: tokens that were taken back would "
                "be drawn with the same noise again; pass generation.temperature=0"
            )

    def keep_confidences(self) -> None:
        Decoder.keep_confidences(self)

    def _decode_block(
        self, session: DecodeSession, block: Block, trace: Trace, step: int, known: Scores | None = None
    ) -> tuple[int, Scores | None]:
        """Fill the block. Its first forward needs no shadows, because nothing is committed yet."""
        canvas, mask_id = session.canvas, session.canvas.special.mask_id
        state = canvas.tokens[block.start : block.stop]  # a view: writing to it writes to the canvas
        first = block.start - canvas.prompt_length
        in_response = torch.arange(block.start, block.stop) >= canvas.prompt_length
        opening, scores = self._open(session, Draft.of_state(state, step), block, trace, step)
        kind, context, spare = opening.kind, opening.context, 0
        rows, stored, logit_rows = opening.rows, opening.stored, opening.logits.shape[1]
        # Each forward commits at least one token and revokes fewer than the forward before committed. After n forwards
        # at least n tokens remain, so a block needs no more forwards than it has positions.
        for _ in range(len(state)):
            masked = state == mask_id
            ranking = session.rule.rank(scores.node(0), masked[None], block)
            picked = ranking.rows(0)[: most_accepted(int(masked.sum()))]
            revoked = self._doubted(scores, ~masked & in_response)[:spare] if len(picked) > 1 else []
            picks = [Pick(first + row, int(scores.token[0, row]), float(scores.confidence[0, row])) for row in picked]
            taken_back = tuple(first + row for row in revoked)
            beside = taken_back, stored, logit_rows
            trace.events.append(Event(kind, block.index, int(ranking.step), 1, rows, tuple(picks), (), (), *beside))
            state[picked] = scores.token[0, picked]
            state[revoked] = mask_id
            if not (state == mask_id).any():
                break
            kind, shadows, spare = "decode", block.window.rows, len(picked) - 1
            rows, stored, logit_rows = block.window.size + shadows, 0, 2 * shadows
            scores = look_twice(session, block, state, context)
        return step + len(state), None

    def _doubted(self, scores: Scores, committed: Tensor) -> list[int]:
        """Return rows whose committed token has a probability below threshold_back at its shadow, the lowest first."""
        probability = torch.where(committed, scores.other_probability[-1], torch.inf)
        return probability.argsort(stable=True)[: int((probability < self.threshold_back).sum())].tolist()


def most_accepted(masks: int) -> int:
    """Return the most masks of a block that one forward may fill, as published: 70 %, at least 5 and at most 20."""
    return min(max(masks * 7 // 10, 5), 20)


def look_twice(session: DecodeSession, block: Block, state: Tensor, context: Context | None) -> Scores:
    """Return scores [2, rows] of a block's rows and of their shadows, from one forward.

    Each shadow also has the probability of the current token in state [rows].
    """
    window = block.window
    tokens = session.canvas.tokens[window.start : window.stop]
    logits = session.model.window_with_shadow(tokens, window, context)
    pair = state.expand(2, -1)
    masked, step = pair == session.canvas.special.mask_id, torch.zeros(2, dtype=torch.int64)
    before = window.first_row - block.start  # the prompt's last tokens, if they share the block
    judged = pair[:, before:].to(logits.device, non_blocking=True)  # a blocking copy would wait for the forward
    scores = session.rule.score(logits, masked, step, block, window.first_row, False, judged=judged)
    return scores.fit(before, len(state))
