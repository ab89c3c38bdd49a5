"""What a round of `decoder.depth=auto` costs by its nodes: as an option gives it, or measured on the loaded model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from ssd.decoding.canvas import Canvas
from ssd.decoding.commit import CommitRule
from ssd.decoding.draft import Draft
from ssd.decoding.engine import Engine
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.checkpoint import PROJECT_ROOT
from ssd.modeling.cost import NodeCosts, measure
from ssd.modeling.dllm import MaskedDiffusionModel

PROMPT_TOKENS = 128
"""Length of the prompt behind which costs are measured, where the model's context has room for it."""
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
    budget: int,
    commit: CommitRule | None = None,
    runner_up: bool = False,
) -> NodeCosts:
    """Seconds of a forward over 1, 2, 4, ... `budget` states of a first block, up to their scores on the host."""
    special = SpecialTokens(model.config.mask_id, (model.config.end_id,))
    room = max(1, min(PROMPT_TOKENS, model.config.context_length - settings.gen_length))
    prompt = [special.fill_id] * room
    canvas = Canvas(prompt, settings, special)
    engine = Engine.start(model, canvas, prompt, settings, commit, runner_up)
    block = next(canvas.blocks(settings, model.config.logits_shift))
    state = canvas.tokens[block.start : block.span_stop].clone()
    _, _, context = engine.open(Draft.of_state(state, 0), block)

    def forward(nodes: int) -> None:
        draft = Draft(state.repeat(nodes, 1), torch.zeros(nodes, dtype=torch.int64), (0,) * nodes)
        engine.evaluate(draft, block, context)

    counts = sorted({budget, *(2**power for power in range(budget.bit_length()))})
    return measure(forward, counts, model.device)
