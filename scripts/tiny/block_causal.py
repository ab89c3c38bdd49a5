"""Training and evaluation of block-causal models: two copies of a sequence in one forward.

The input is a noisy copy and a clean copy, at the same positions. A noisy block attends to itself and to the clean
blocks before it, a clean block to the clean blocks up to itself (SDAR, arXiv 2510.06303; Fast-dLLM v2, arXiv
2509.26328). So a noisy block sees what decoding sees: finished blocks, and itself with masks.
"""

from copy import deepcopy

import torch
from torch import Tensor

from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.forward_input import ForwardInput
from ssd.modeling.transformer import Transformer

_ALL_MASKED = 0.25
"""Share of blocks that are masked as a whole, as at the beginning of their decoding."""


def mask_blocks(maskable: Tensor, block: int, offset: int, generator: torch.Generator) -> Tensor:
    """Return the positions to hide, bool [rows, length]. Every block of every row has its own noise level.

    offset: the position of the first token, so that block borders fall at every place of a sequence.
    """
    rows, length = maskable.shape
    blocks = (torch.arange(length) + offset) // block
    levels = 0.05 + 0.95 * torch.rand(rows, int(blocks[-1]) + 1, generator=generator)
    levels[torch.rand(levels.shape, generator=generator) < _ALL_MASKED] = 1.0
    hidden = (torch.rand(rows, length, generator=generator) < levels[:, blocks]) & maskable
    first = maskable.float().argmax(dim=1, keepdim=True)
    return hidden.scatter(1, first, hidden.gather(1, first) | ~hidden.any(dim=1, keepdim=True))


def two_copy_mask(length: int, block: int, offset: int) -> Tensor:
    """Return bool [2 · length, 2 · length]: the positions (columns) that each position (row) attends to."""
    blocks = (torch.arange(length) + offset) // block
    noisy_to_noisy = blocks[None] == blocks[:, None]
    noisy_to_clean, clean_to_clean = blocks[None] < blocks[:, None], blocks[None] <= blocks[:, None]
    noisy = torch.cat((noisy_to_noisy, noisy_to_clean), dim=1)
    return torch.cat((noisy, torch.cat((torch.zeros_like(noisy_to_noisy), clean_to_clean), dim=1)))


def two_copy_logits(network: Transformer, noisy: Tensor, clean: Tensor, offset: int, chosen: Tensor) -> Tensor:
    """Return logits [chosen, vocabulary] of the noisy copy's chosen positions.

    noisy, clean: token ids [rows, length]; chosen: bool [rows, length]. With shifted logits the left neighbour predicts
    a position: within a block the noisy one, at a block's start the clean one, which decoding has stored.
    """
    block, length = network.config.causal_block, noisy.shape[1]
    assert block is not None
    positions = torch.arange(length) + offset
    window = ForwardInput(
        torch.cat((noisy, clean), dim=1),
        start=offset,
        positions=positions.repeat(2),
        visible=two_copy_mask(length, block, offset),
    )
    of_noisy, of_clean = network([window])[0].chunk(2, dim=1)
    if network.config.logits_shift:
        before = torch.where((positions % block == 0)[:, None], of_clean.roll(1, 1), of_noisy.roll(1, 1))
        of_noisy = torch.cat((of_noisy[:, :1], before[:, 1:]), dim=1)
    return network.predict(of_noisy[chosen])


def settings_of(network: Transformer, gen_length: int, tokens_per_step: int = 1) -> GenerationSettings:
    """Return greedy stepwise settings for a block-causal network."""
    block = network.config.causal_block or gen_length
    steps = None if tokens_per_step == 1 else max(2, block // tokens_per_step)
    return GenerationSettings(gen_length, block, grid="absolute", cache="exact", steps=steps)


def decode_blocks(
    network: Transformer, prompts: list[list[int]], gen_length: int, tokens_per_step: int = 1
) -> list[list[int]]:
    """Return the greedy responses of stepwise decoding with the exact cache."""
    model = MaskedDiffusionModel(deepcopy(network))
    special = SpecialTokens(network.config.mask_id, network.config.end_ids)
    settings = settings_of(network, gen_length, tokens_per_step)
    return [Stepwise().decode(model, prompt, settings, special).response_ids for prompt in prompts]
