"""The stepping rule: logits and state → ranked picks. The only place where picks are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from ssd.decoding.canvas import Block, canvas_length, part_masks
from ssd.decoding.commit_rule import CommitRule, Signals
from ssd.decoding.noise import CounterNoise
from ssd.decoding.path_memory import Lineage, PathMemory
from ssd.decoding.ranking import Ranking
from ssd.decoding.schedule import step_counts, transfer_rates
from ssd.decoding.scores import Scores
from ssd.decoding.scoring import Scorer
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.token_frequencies import token_frequencies

CERTAIN_ORDERS = ("random", "origin", "sequential")
"""Rankings that depend on noise or position, and not on confidence."""
_UNMASKED = -torch.inf


class SteppingRule:
    """The stepping rule of one response: tokens, confidence, order, and number of picks of every step.

    Orders are total: confidence descending, then position ascending; a row's token is the lowest id among the most
    likely. Rankings: LLaDA's low_confidence and random remasking (arXiv 2502.09992), pc (PC-Sampler, arXiv 2508.13021),
    Dream's maskgit_plus, topk_margin, entropy and origin (arXiv 2508.15487). Without a commit rule the schedule decides
    the number of picks, and steps are counted. With a commit rule the logits decide it, and a step's number is the
    number of committed positions in its block, so that it follows from the state alone. A step in which no row passes
    commits as many as a step of the schedule.
    """

    def __init__(
        self,
        settings: GenerationSettings,
        special: SpecialTokens,
        prompt_ids: Sequence[int],
        first_row_first: bool,
        commit: CommitRule | None = None,
    ) -> None:
        self.settings = settings
        self.first_row_first = first_row_first
        self.commit = commit
        self.steps_per_block = settings.block_length if commit else settings.steps_per_block
        self._tokens_per_step = settings.block_length // settings.steps_per_block
        self._parts_per_block = settings.block_length // settings.part_length
        counts, rates = self._schedule(part_masks(len(prompt_ids), settings))
        self._counts = torch.tensor([*counts, 0])
        self._rates = torch.tensor([*rates, 0.0], dtype=torch.float64)
        self._noise = CounterNoise(settings.seed, prompt_ids)
        self._prompt_length, self._length = len(prompt_ids), canvas_length(len(prompt_ids), settings)
        self.scorer = Scorer(settings, special, self._noise, commit)
        self.memory_spans_blocks = commit is not None and commit.spans_blocks(settings)
        self.memory_before: PathMemory | None = None

    def score(
        self,
        logits: Tensor,
        masked: Tensor,
        step: Tensor,
        block: Block,
        first_position: int,
        runner_up: bool,
        judged: Tensor | None = None,
        lineage: Lineage | None = None,
    ) -> Scores:
        """Return scores of logits [nodes, rows, vocabulary] (overwritten), for states before `step` [nodes].

        masked: bool [nodes, span], the masked positions of the states; runner_up, judged, lineage: see `Scorer.score`.
        """
        settled, first_step = self._settle(masked, step, block), self._first_step(block)
        progress = self._progress(masked, block) if lineage else None
        scores = self.scorer.score(logits, settled, first_step, first_position, runner_up, judged, lineage, progress)
        return self._by_position(scores, first_position - block.start)

    def end_block(self, last: Scores | None) -> None:
        """Keep what the memory of the next block begins with; last: the scores that filled the block, of one node."""
        if self.memory_spans_blocks and last is not None and last.memory is not None:
            self.memory_before = last.memory.distributions()

    def foresee(self, scores: Scores, steps: Tensor, block: Block, runner_up: bool) -> Scores:
        """Return one node's scores at later `steps` [steps] of the block with unchanged logits."""
        foreseen = self.scorer.foresee(scores, steps, self._first_step(block), runner_up)
        return foreseen if scores.kept is None else self._by_position(foreseen, 0)

    def perturbed(
        self, logits: Tensor, masked: Tensor, scores: Scores, block: Block, first_position: int
    ) -> tuple[Tensor, Tensor]:
        """Return logits [nodes, rows, vocabulary] with the credit of their scores, without and with the step's noise.

        The largest entry of the second is the token. masked: bool [nodes, span], as for `score`.
        """
        fused = self.scorer.with_credit(logits, scores.memory, self._progress(masked, block))
        return fused, self.scorer.perturbed(fused, scores.step, self._first_step(block), first_position)

    def rank(self, scores: Scores, masked: Tensor, block: Block) -> Ranking:
        """Return the ranking of the masked rows [nodes, span], by scores of the states' next step."""
        ranking, step = self.settings.ranking, scores.step
        pickable = self._pickable(masked)
        passing, minimum = torch.zeros_like(step), pickable.sum(dim=1).clamp(max=self._tokens_per_step)
        if self.commit is None:
            minimum = self._counts[step + self._first_step(block)]
        key = scores.confidence
        if ranking in ("random", "origin"):
            key = self._uniform(step, block)
        if ranking == "sequential":
            key = -torch.arange(masked.shape[1], dtype=torch.float64).expand_as(key)
        if ranking == "origin" and self.commit is None:
            key = (key < self._rates[step + self._first_step(block)][:, None]).double()
        key = torch.where(masked, key, _UNMASKED)
        starts = self._starts(masked)
        if starts is not None:
            key = torch.where(starts, torch.inf, key)
            starts = starts & pickable
            passing = starts.sum(dim=1)
        if ranking == "origin" and self.commit is None:
            passing, minimum = ((key > 0) & pickable).sum(dim=1), torch.zeros_like(step)
        order = _stable_order(key)
        if self._spans(masked):
            order = order.gather(1, self._part(masked).gather(1, order).argsort(dim=1, stable=True))
        if self.commit is not None:
            passes = self._passes(self.commit, scores, pickable & scores.predicted, order)
            if not self.commit.has_least:
                minimum = torch.where(passes.any(dim=1), minimum.clamp(max=1), minimum)
            if starts is not None:  # upstream takes nothing else from a refresh forward (Fast-dLLM on Dream)
                has_start = starts.any(dim=1, keepdim=True)
                passes = torch.where(has_start, starts, passes)
                minimum = torch.where(has_start[:, 0], 1, minimum)
            order = order.gather(1, _stable_order(passes.gather(1, order).byte()))
            passing = passes.sum(dim=1)
        masks = masked.sum(dim=1)
        next_step = step + (1 if self.commit is None else torch.minimum(torch.maximum(passing, minimum), masks))
        return Ranking(order, passing, minimum, masks, step, next_step)

    def _passes(self, commit: CommitRule, scores: Scores, candidates: Tensor, order: Tensor) -> Tensor:
        """Return bool [nodes, rows]: the candidates that pass under the commit rule, by their scores and ranking."""
        none = torch.tensor(torch.inf, dtype=torch.float64).expand(candidates.shape)
        signals = Signals(
            probability=torch.where(candidates, scores.probability, -torch.inf),
            entropy=none if scores.entropy is None else torch.where(candidates, scores.entropy, torch.inf),
            kl=none if scores.kl is None else torch.where(candidates, scores.kl, torch.inf),
        )
        passes = commit.passes(signals, candidates, order) & candidates
        if commit.first_passes:
            passes.scatter_(1, order[:, :1], True)
        return passes

    def _by_position(self, scores: Scores, first_row: int) -> Scores:
        """Return scores with the confidence of PC-Sampler (arXiv 2508.13021), if that is the ranking.

        It is exp(-pc_decay · place in the block) · min(pc_cap, -p · ln(token's frequency + 1e-9)).
        """
        settings = self.settings
        if settings.ranking != "pc" or settings.token_frequencies is None:
            return scores
        place = (torch.arange(scores.token.shape[1], dtype=torch.float64) + first_row) % settings.block_length
        rarity = -(_frequency_of(scores.token, settings.token_frequencies) + 1e-9).log()
        key = (-settings.pc_decay * place).exp() * (scores.probability * rarity).clamp(max=settings.pc_cap)
        # What is not predicted, or put last, stays so.
        return replace(scores, confidence=torch.where(scores.confidence >= 0, key, scores.confidence))

    def certainty(self, scores: Scores) -> Tensor:
        """Return float64 [nodes, rows]: -log(1 - confidence), or -log(entropy).

        On this scale equal gaps mean equal odds that two rows keep their order, also near confidence 1.
        """
        confidence = scores.probability if self.settings.ranking == "pc" else scores.confidence
        doubt = -confidence if self.settings.ranking == "entropy" else 1 - confidence
        return -doubt.clamp(min=1e-17).log()

    @property
    def has_memory(self) -> bool:
        """Whether picks depend on the path to a state."""
        return self.commit is not None and self.commit.memory == "path"

    @property
    def most_picks(self) -> int:
        """The most picks of a step; with a commit rule, all of a block."""
        return int(self._counts.max()) if self.commit is None else self.settings.block_length

    @property
    def order_is_certain(self) -> bool:
        """Whether the order of later picks is known early, see `CERTAIN_ORDERS`."""
        return self.settings.ranking in CERTAIN_ORDERS

    def _schedule(self, parts: Sequence[int]) -> tuple[list[int], list[float]]:
        """Return the picks and the transfer rate of every step; parts: the number of masks in each part.

        On an absolute grid a part that begins in the prompt has fewer steps, the last ones. The step that commits a
        block's first position commits nothing else there: its logits may come from the store alone.
        """
        settings = self.settings
        steps = settings.steps_per_block // self._parts_per_block
        alone = self.first_row_first and settings.grid == "absolute"
        counts: list[int] = []
        rates: list[float] = []
        for index, masks in enumerate(parts):
            own = min(steps, masks)
            first = int(alone and index % self._parts_per_block == 0 and masks == settings.part_length)
            left, after = masks - first, own - first
            counts += [0] * (steps - own) + [1] * first + (step_counts(settings.schedule, left, after) if after else [])
            rates += [0.0] * (steps - own + first) + (transfer_rates(after) if after else [])
        return counts, rates

    def _starts(self, masked: Tensor) -> Tensor | None:
        """Return bool [nodes, span]: masked first rows of blocks, which are committed first; None if they are not.

        With full attention a span has one: only the refresh of its first block is exact.
        """
        if not self.first_row_first:
            return None
        span = masked.shape[1]
        length = self.settings.block_length if self.settings.grid == "absolute" else span
        return masked & (torch.arange(span) % length == 0)

    def _settle(self, masked: Tensor, step: Tensor, block: Block) -> Tensor:
        """Return the step of each state's next picks. Steps without picks are skipped, so that they cost no forward."""
        if self.commit is not None:
            return (~masked).sum(dim=1)
        unfinished = masked.any(dim=1)
        settled, pickable = step, self._pickable(masked)
        if self._spans(masked):  # a block's steps do not begin before it does
            begun = self._part(masked).amin(dim=1) * self.steps_per_block // self._parts_per_block
            settled = torch.where(unfinished, torch.maximum(step, begun), step)
        while (idle := unfinished & (self._scheduled(pickable, settled, block) == 0)).any():
            settled = settled + idle
        return settled

    def _scheduled(self, pickable: Tensor, step: Tensor, block: Block) -> Tensor:
        """Return int64 [nodes]: the number of picks that the schedule allows each state in `step`."""
        if self.settings.ranking != "origin":
            return self._counts[step + self._first_step(block)]
        moved = (self._uniform(step, block) < self._rates[step + self._first_step(block)][:, None]) & pickable
        starts = self._starts(pickable)
        return (moved if starts is None else moved | starts).sum(dim=1)

    def _pickable(self, masked: Tensor) -> Tensor:
        """Return bool [nodes, span]: the masked rows of each state's first unfinished part."""
        if not self._spans(masked):
            return masked
        part = self._part(masked)
        return masked & (part == part.amin(dim=1, keepdim=True))

    def _spans(self, masked: Tensor) -> bool:
        """Whether states include more than one part."""
        return masked.shape[1] > self.settings.part_length

    def _part(self, masked: Tensor) -> Tensor:
        """Return int64 [nodes, span]: the part of each masked row; a number above all parts for other rows."""
        rows, length = masked.shape[1], self.settings.part_length
        return torch.where(masked, torch.arange(rows) // length, rows)

    def _uniform(self, step: Tensor, block: Block) -> Tensor:
        return self._noise.uniform(
            (step + self._first_step(block))[:, None], torch.arange(block.start, block.span_stop)
        )

    def _progress(self, masked: Tensor, block: Block) -> Tensor:
        """Return float64 [nodes]: the share of the response that is decided; masked: bool [nodes, span]."""
        masks = masked.sum(dim=1) + self._length - block.span_stop
        return 1 - masks.double() / (self._length - self._prompt_length)

    def _first_step(self, block: Block) -> int:
        return block.index * self.steps_per_block


@cache
def _frequencies(path: str) -> Tensor:
    """Return `token_frequencies` as float64 [largest id + 2]."""
    return torch.tensor(token_frequencies(path), dtype=torch.float64)


def _frequency_of(tokens: Tensor, path: str) -> Tensor:
    """Return float64 of the shape of `tokens` (int64, on the host): their frequencies."""
    shares = _frequencies(path)
    return shares[tokens.clamp(max=len(shares) - 1)]


def _stable_order(key: Tensor) -> Tensor:
    return key.argsort(dim=1, descending=True, stable=True)
