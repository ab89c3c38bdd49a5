"""Independent references for block-causal models: transformers' class with a full mask, lists and loops, no cache."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from ssd.modeling.config import ModelConfig
from tests.modeling.reference import aligned, run_block_causal
from tests.naive import Count, Picks, fill, picks_of, rank_masks, softmax_of

Ranked = list[tuple[float, int, int]]
"""(confidence, position, token), the surest first."""


@dataclass(frozen=True)
class NaiveBlocks:
    """Low-confidence decoding on the absolute grid. part: length of a sub-block; None: that of a block."""

    theirs: PreTrainedModel
    config: ModelConfig
    prompt: list[int]
    gen_length: int
    part: int | None = None

    def decode(self, count: Count, ends: tuple[int, ...] = ()) -> tuple[list[int], list[Picks]]:
        """Return the response, and the picks of every step. A block with one of `ends` is the last that is decoded."""
        canvas, steps = self._canvas(), []
        for start in self._starts(canvas):
            stop = start + self.block
            while self.config.mask_id in canvas[start:stop]:
                eligible = self._eligible(self._probabilities(canvas), canvas, start, stop)
                alone = len(eligible) == 1 or (self.config.logits_shift and eligible[0][1] == start)
                steps.append(eligible[: 1 if alone else count([confidence for confidence, _, _ in eligible])])
                canvas = fill(canvas, steps[-1])
            if set(canvas[max(start, len(self.prompt)) : stop]) & set(ends):
                canvas[stop:] = [ends[0]] * (len(canvas) - stop)
                break
        return self._response(canvas), [picks_of(step, len(self.prompt)) for step in steps]

    def decode_eager(self, draft_steps: int) -> tuple[list[int], list[Picks]]:
        """Return FreeDave's response of one token a step, and the picks of every forward.

        Drafts fill block after block with what the last accepted state predicts. They end one before the last of the
        positions that its forward has computed.
        """
        canvas, forwards = self._canvas(), []
        known: list[list[float]] = []
        for start in self._starts(canvas):
            span_stop = min(start + (1 + -(-draft_steps // self.block)) * self.block, len(canvas))
            while self.config.mask_id in canvas[start : start + self.block]:
                chain = list(self._in_order(known, canvas, start, len(known)))[:-1][: draft_steps - 1]
                drafts = [fill(canvas, chain[:length]) for length in range(len(chain) + 1)]
                rows = [self._probabilities(draft) for draft in drafts]
                best = [
                    next(self._in_order(row, draft, start, span_stop)) for row, draft in zip(rows, drafts, strict=True)
                ]
                last = 0
                while last < len(chain) and best[last][1:] == chain[last][1:]:
                    last += 1
                canvas, known = fill(drafts[last], [best[last]]), rows[last][:span_stop]
                forwards.append(best[: last + 1])
        return self._response(canvas), [picks_of(step, len(self.prompt)) for step in forwards]

    @property
    def block(self) -> int:
        assert self.config.causal_block is not None
        return self.config.causal_block

    def _canvas(self) -> list[int]:
        length = len(self.prompt) + self.gen_length
        return self.prompt + [self.config.mask_id] * (-(-length // self.block) * self.block - len(self.prompt))

    def _response(self, canvas: list[int]) -> list[int]:
        return canvas[len(self.prompt) :][: self.gen_length]

    def _starts(self, canvas: list[int]) -> range:
        return range(len(self.prompt) // self.block * self.block, len(canvas), self.block)

    def _eligible(self, probabilities: list[list[float]], canvas: list[int], start: int, stop: int) -> Ranked:
        """Return the ranked masks of the leftmost part with masks; a block's first position comes alone with a shift.

        Positions behind the last of `probabilities` are not predicted.
        """
        mask, part, stop = self.config.mask_id, self.part or self.block, min(stop, len(probabilities))
        if self.config.logits_shift and canvas[start] == mask and start < stop:
            return rank_masks(probabilities, canvas, range(start, start + 1), mask)
        for left in range(start, stop, part):
            if mask in canvas[left : min(left + part, stop)]:
                return rank_masks(probabilities, canvas, range(left, min(left + part, stop)), mask)
        return []

    def _in_order(self, probabilities: list[list[float]], canvas: list[int], start: int, stop: int) -> Iterator:
        """Yield the picks of all masks in [start, stop), one token a step, with unchanged probabilities."""
        for left in range(start, stop, self.block):
            while picks := self._eligible(probabilities, canvas, left, min(left + self.block, stop)):
                yield picks[0]
                canvas = fill(canvas, picks[:1])

    def _probabilities(self, canvas: list[int]) -> list[list[float]]:
        with torch.no_grad():
            outputs = run_block_causal(self.theirs, torch.tensor([canvas]), self.block)
        return softmax_of(aligned(outputs, self.config)[0], self.config.mask_id)
