"""What a round of `decoder.depth=auto` costs by its nodes: as an option gives it, or measured on the loaded model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from ssd.decoding.canvas import Canvas
from ssd.decoding.commit import CommitRule
from ssd.decoding.draft import Draft
from ssd.decoding.engine import Engine
from ssd.decoding.settings import GenerationSettings, SpecialTokens, Workload
from ssd.modeling.checkpoint import PROJECT_ROOT
from ssd.modeling.cost import NodeCosts, measure
from ssd.modeling.dllm import MaskedDiffusionModel

EXAMPLE = "expected null, a JSON file, or pairs as [[1, 0.010], [8, 0.013]]"

Costs = str | Sequence[Sequence[float]]
"""The option `decoder.costs`: a JSON file of [nodes, seconds] pairs, or the pairs."""


def find_costs(path: str) -> Path:
    """The file, also relative to the project. Raises FileNotFoundError."""
    for file in (Path(path).expanduser(), PROJECT_ROOT / path):
        if file.is_file():
            return file
    raise FileNotFoundError(f"decoder.costs={path}: no such file; {EXAMPLE}")


def costs_from(costs: Costs) -> NodeCosts:
    """Raises ValueError or FileNotFoundError in one line that names the option."""
    try:
        return NodeCosts.read(find_costs(costs)) if isinstance(costs, str) else NodeCosts.of_pairs(costs)
    except (ValueError, TypeError) as error:
        raise ValueError(f"decoder.costs={costs}: {error}; {EXAMPLE}") from error


def measure_costs(
    model: MaskedDiffusionModel,
    settings: GenerationSettings,
    work: Workload,
    budget: int,
    commit: CommitRule | None = None,
    runner_up: bool = False,
) -> NodeCosts:
    """Seconds of a forward over 1, 2, 4, ... `budget` states of a middle block, up to the scores on the host.

    In a batch every response has so many states in it. The prompt is cut off where the model's context has no room.
    """
    special = SpecialTokens(model.config.mask_id, (model.config.end_id,))
    prompt = [special.fill_id] * max(1, min(work.prompt_length, model.config.context_length - settings.gen_length))
    canvas = Canvas(prompt, settings, special)
    engine = Engine.start(model, canvas, prompt, settings, commit, runner_up)
    block = list(canvas.blocks(settings, model.config.logits_shift))[settings.blocks // 2]
    state = canvas.tokens[block.start : block.span_stop].clone()
    _, _, context = engine.open(Draft.of_state(state, 0), block)

    def forward(nodes: int) -> None:
        states = work.batch_size * nodes
        draft = Draft(state.repeat(states, 1), torch.zeros(states, dtype=torch.int64), (0,) * states)
        engine.evaluate(draft, block, context)

    counts = sorted({budget, *(2**power for power in range(budget.bit_length()))})
    return measure(forward, counts, model.device)
