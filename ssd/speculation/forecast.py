"""Forecasts of the coming steps from the current logits: the candidates for drafts."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Set
from copy import copy
from functools import cached_property
from itertools import islice
from operator import itemgetter
from typing import Any

import torch
from torch import Tensor

from ssd.decoding.block_decoder import BlockState
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings
from ssd.speculation.candidate import Candidate, Choice, Due, Fill
from ssd.speculation.pick_model import HORIZON, PickModel, Values, features_of

MOST_FORESEEN = 8
"""The most steps that depth `auto` foresees where tokens are sampled."""


def steps_foreseen(depth: int, settings: GenerationSettings) -> int:
    """Return the number of steps that depth `auto` foresees: fewer for sampling, where each step reads all logits."""
    return min(depth, MOST_FORESEEN) if settings.temperature > 0 else depth


class Forecast:
    """Rankings of the coming steps, made by the stepping rule from unchanged logits.

    One batched call of the rule covers all steps; a hypothetical state only leaves out its filled rows.
    pick_model: gives the probabilities of candidates; without it, the first in the ranking is certain.
    fresh: the rows filled since the current logits were computed.
    """

    def __init__(
        self,
        session: DecodeSession,
        current: BlockState,
        depth: int,
        pick_model: PickModel | None = None,
        fresh: Iterable[int] = (),
    ) -> None:
        rule = session.rule
        self.first_step = current.step
        self.masks = current.masks
        self._counts_decided = rule.commit is not None
        self._part_length = rule.settings.part_length
        # With a commit rule, a step's number may be larger by as many as there are masks. A sampled step reads all
        # logits, so at most `depth` are foreseen.
        sampled = rule.settings.temperature > 0
        reach = min(depth, self.masks) if sampled or not self._counts_decided else self.masks
        span = current.block.span_stop - current.block.start
        last = rule.steps_per_block * -(-span // rule.settings.block_length)
        steps = torch.arange(current.step, min(current.step + reach, last))
        scores = rule.foresee(current.scores, steps, current.block, session.runner_up)
        ranking = rule.rank(scores, current.masked.expand(len(steps), -1), current.block)
        # Without noise every step has the same scores and the same order, which are listed once.
        alike = not sampled and not rule.order_is_certain
        self._orders: list[list[int]] = _by_step(ranking.order[:, : self.masks], alike)
        self._passing: list[int] = ranking.passing.tolist()
        self._minimum: list[int] = ranking.minimum.tolist()
        self._token: list[list[int]] = _by_step(scores.token, alike)
        self._probability: list[list[float]] = _by_step(scores.probability, alike)
        self._other_token: list[list[int]] = _by_step(scores.other_token, alike)
        self._other_probability: list[list[float]] = _by_step(scores.other_probability, alike)
        self.fresh = frozenset(fresh)
        self._pick_model = None if rule.order_is_certain else pick_model
        self._certainty: list[list[float]] = _by_step(rule.certainty(scores), alike) if self._pick_model else []

    @cached_property
    def rows(self) -> list[int]:
        """The masked rows in the order of picking with unchanged logits."""
        rows: dict[int, None] = {}
        step = self.first_step
        while due := self.due(rows, step):
            rows |= dict.fromkeys(islice((row for row in self._orders[due.at] if row not in rows), due.picks))
            step = due.next_step
        return list(rows | dict.fromkeys(self._orders[-1]))

    def with_memory(self, pick_model: PickModel, fresh: Iterable[int]) -> Forecast:
        """Return the same forecast with another pick model and other fresh rows, to replay a recorded state.

        It must have been made with a pick model.
        """
        again = copy(self)
        again.fresh = frozenset(fresh)
        again._pick_model = self._pick_model and pick_model
        return again

    def due(self, filled: Container[int], step: int) -> Due | None:
        """Return the first step from `step` on with picks, for a state with these rows filled; None if not foreseen."""
        for at in range(step - self.first_step, len(self._orders)):
            count, passing = self._minimum[at], self._passing[at]
            if passing:
                count = max(count, sum(row not in filled for row in self._orders[at][:passing]))
            if count:
                return Due(at, count, self.first_step + at + (count if self._counts_decided else 1))
        return None

    def tokens(self, at: int, row: int) -> tuple[int, int]:
        """Return a row's likeliest token in a foreseen step, and the runner-up (if requested)."""
        return self._token[at][row], self._other_token[at][row]

    def candidates(
        self, filled: Set[Fill], last: Set[int], step: int, width: int, alternatives: bool, reorder: bool = False
    ) -> list[Candidate]:
        """Return the first `width` continuations of a hypothetical state, whose last step picked the rows `last`.

        They differ in the last row of the step's picks, and with `alternatives` also in its token. They have the order
        of the ranking, with `alternatives` or `reorder` that of their probabilities.
        There is none for a step that would finish the block, because the full block needs no forward.
        """
        rows = {fill.row for fill in filled}
        choice = self._choice(rows, step)
        if choice is None or choice.due.picks >= self.masks - len(rows):
            return []
        at, next_step = choice.due.at, choice.due.next_step
        odds, tokens, probability = self._odds(choice, rows, last), self._token[at], self._probability[at]
        found = [(odd * probability[row], row, tokens[row]) for row, odd in zip(choice.rows, odds, strict=True)]
        if not (alternatives or reorder):
            found = found[:width]
        if alternatives:
            tokens, probability = self._other_token[at], self._other_probability[at]
            found += [(odd * probability[row], row, tokens[row]) for row, odd in zip(choice.rows, odds, strict=True)]
        if alternatives or reorder:
            found.sort(key=itemgetter(0), reverse=True)
        base = tuple(Fill(row, self._token[at][row]) for row in choice.sure)
        return [Candidate((*base, Fill(row, token)), next_step, reached) for reached, row, token in found[:width]]

    def learn(self, picks: Iterable[Set[int]], steps: Iterable[int]) -> None:
        """Update the pick model with the rows that each of the coming steps has picked."""
        if self._pick_model is not None:
            for features, picked in self.observed(picks, steps):
                self._pick_model.learn(features, picked)

    def observed(self, picks: Iterable[Set[int]], steps: Iterable[int]) -> Iterator[tuple[list[Values], int]]:
        """Yield the features of the candidates of each coming step, and the index of the one that it has picked.

        picks: the rows that each of these steps has picked. A step without a single candidate among them is left out.
        """
        filled = set[int]()
        last: Set[int] = self.fresh
        for picked, step in zip(picks, steps, strict=True):
            choice = self._choice(filled, step)
            if choice is None:
                return
            final = set(picked).difference(choice.sure)
            if len(final) == 1 and final.issubset(choice.rows):
                yield self._features(choice, filled, last), choice.rows.index(*final)
            filled |= picked
            last = picked

    def _choice(self, filled: Set[int], step: int) -> Choice | None:
        due = self.due(filled, step)
        if due is None:
            return None
        sure = due.picks - 1
        near = self._orders[due.at][: len(filled) + sure + HORIZON]  # includes enough unfilled rows
        ahead = [row for row in near if row not in filled][: sure + HORIZON]
        parts = [row // self._part_length for row in ahead]
        rows = [row for row, part in zip(ahead[sure:], parts[sure:], strict=True) if part == parts[sure]]
        return Choice(due, ahead[:sure], rows)

    def _odds(self, choice: Choice, filled: Set[int], last: Set[int]) -> list[float]:
        """Return the estimated probability of each row to be picked."""
        if self._pick_model is None:
            return [1.0] + [0.0] * (len(choice.rows) - 1)
        return self._pick_model.odds(self._features(choice, filled, last))

    def _features(self, choice: Choice, filled: Set[int], last: Set[int]) -> list[Values]:
        at = choice.due.at
        return features_of(choice.rows, self._certainty[at], at + 1, last, filled | self.fresh)


def _by_step(values: Tensor, alike: bool) -> list[list[Any]]:
    """Return the rows of values [steps, rows]; if all are `alike`, one list is shared."""
    return values[:1].tolist() * len(values) if alike else values.tolist()
