"""Forwards of a block against one uncached forward, wherever the block is and however its forwards are captured."""

import pytest
import torch
from torch import Tensor

from ssd.decoding.cache_policy import POLICIES, plain_caches
from ssd.decoding.canvas import Block, Canvas
from ssd.decoding.draft import Draft
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.forward_input import ForwardInput
from ssd.modeling.forwards import DiffusionModel
from ssd.modeling.static_shapes import StaticModel
from tests.modeling.recorded import RecordedGraphs
from tests.models import random_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62,))
NODES = 3
# Lengths of prompt and block. Blocks begin before and behind the capacity of the first captured context.
LENGTHS = ((1, 8), (41, 4), (115, 8))
PACKED_NODES = {"captured, packed": NODES, "captured, split": 0}


def engine(model: MaskedDiffusionModel, name: str) -> DiffusionModel:
    if name == "eager":
        return model
    return StaticModel(model, NODES, RecordedGraphs(), packed_nodes=PACKED_NODES[name])


def uncached(model: MaskedDiffusionModel, canvas: Tensor, block: Block, states: Tensor) -> Tensor:
    """Confidences [nodes, rows], from one forward without a cache over the canvas and, behind it, the window again.

    The canvas does not attend to this second window. The second window attends to itself and to all but the first.
    """
    window, length = block.window, len(canvas)
    tokens = torch.cat((canvas, canvas[window.start : window.stop])).repeat(len(states), 1)
    tokens[:, length - window.start :][:, block.start : block.span_stop] = states
    positions = torch.cat((torch.arange(length), torch.arange(window.start, window.stop)))
    visible = torch.ones(len(positions), len(positions), dtype=torch.bool)
    visible[:length, length:] = False
    visible[length:, window.start : window.stop] = False
    forward_input = ForwardInput(tokens, positions=positions, visible=visible)
    first = length + window.first_row - model.config.logits_shift - window.start
    logits = model.logits(model.hidden(forward_input))[:, first : first + window.rows]
    return logits.index_fill(-1, torch.tensor(SPECIAL.mask_id), -torch.inf).softmax(dim=-1).amax(dim=-1)


@pytest.mark.parametrize("name", ["eager", *PACKED_NODES])
@pytest.mark.parametrize("cache", [cache for cache in plain_caches("prompt") if POLICIES[cache].refreshes == "block"])
@pytest.mark.parametrize("block_start", ["commit_first", "ranked"])
def test_every_blocks_cached_forwards_are_uncached_ones(family, cache, block_start, name):
    """A fault of the cache is in the reference, too. Equal responses do not show it."""
    model, generator = random_model(family), torch.Generator().manual_seed(0)
    ranking = "low_confidence" if family == "llada" else "maskgit_plus"
    for prompt_length, block_length in LENGTHS:
        settings = GenerationSettings(
            gen_length=4 * block_length,
            block_length=block_length,
            cache=cache,
            block_start=block_start,
            ranking=ranking,
        )
        prompt = torch.randint(0, 60, (prompt_length,), generator=generator).tolist()
        canvas = Canvas(prompt, settings, SPECIAL)
        session = DecodeSession.start(engine(model, name), canvas, prompt, settings)
        for block in canvas.blocks(settings, model.config.logits_shift):
            masks = canvas.tokens[block.start : block.stop].clone()
            context = session.open(Draft.of_state(masks, 0), block)[0].context
            states = torch.randint(0, 60, (NODES, block_length), generator=generator)
            states[0] = masks
            draft = Draft(states, torch.zeros(NODES, dtype=torch.int64), tuple(range(NODES)))
            found = session.evaluate(draft, block, context)[1].confidence[:, block.window.first_row - block.start :]
            expected = uncached(model, canvas.tokens, block, states)
            assert (found - expected).abs().max() < 1e-9, f"block {block.index} at position {block.start}"
            canvas.tokens[block.start : block.stop] = states[1]
