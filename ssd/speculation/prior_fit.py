"""The fit of the pick model's prior to recorded trajectories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ssd.speculation.pick_model import HORIZON, PRIOR, Features, PickModel, Values
from ssd.speculation.recording import RecordedState, Trajectory, picks_between

AHEAD = 5
"""Steps after each state that the fit uses; few drafts are accepted further ahead."""
PULL = 1.0
"""Strength of the pull towards the built-in prior, in picks: it decides where the trajectories say nothing."""
Pick = tuple[list[Values], int]
"""The features of the candidates of one step, and the index of the picked one."""


def fit_prior(trajectories: Iterable[Trajectory]) -> tuple[Features, int]:
    """Return the likeliest weights for the picks of trajectories, and the number of these picks.

    They maximise the log-likelihood of the picks minus PULL / 2 times the squared distance from the built-in prior.
    Raises ValueError if the trajectories have no step with a choice.
    """
    picks = [pick for each in trajectories for stands in each.blocks for pick in _picks(stands)]
    if not picks:
        raise ValueError("nothing to fit: no step has a choice; expected blocks of at least three steps")
    values, absent, picked = _tensors(picks)
    prior = torch.tensor(PRIOR, dtype=torch.float64)
    weights = prior.clone().requires_grad_()
    search = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        search.zero_grad()
        scores = (values @ weights).masked_fill(absent, -torch.inf)
        far = (weights - prior).square().sum()
        value = torch.nn.functional.cross_entropy(scores, picked, reduction="sum") + PULL / 2 * far
        value.backward()
        return value

    with torch.inference_mode(False), torch.enable_grad():
        search.step(loss)
    return Features(*(round(weight, 4) for weight in weights.tolist())), len(picks)


def _picks(stands: Sequence[RecordedState]) -> Iterator[Pick]:
    """Yield the picks of the next AHEAD steps of each state of a block, as its forecast shows their candidates."""
    for first, stand in enumerate(stands):
        coming = stands[first : first + AHEAD + 1]
        made = [{fill.row for fill in picks_between(one.state, after.state)} for one, after in pairwise(coming)]
        fresh = {fill.row for fill in picks_between(stand.before, stand.state)}
        forecast = stand.forecast.with_memory(PickModel(), fresh)
        yield from forecast.observed(made, [one.step for one in coming[:-1]])


def _tensors(picks: Sequence[Pick]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the features [picks, HORIZON, features], bool [picks, HORIZON] of absent candidates, and the picked."""
    values = torch.zeros(len(picks), HORIZON, len(PRIOR), dtype=torch.float64)
    absent = torch.ones(len(picks), HORIZON, dtype=torch.bool)
    for index, (candidates, _) in enumerate(picks):
        values[index, : len(candidates)] = torch.tensor(candidates, dtype=torch.float64)
        absent[index, : len(candidates)] = False
    return values, absent, torch.tensor([picked for _, picked in picks])
