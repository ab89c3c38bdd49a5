"""An independent reference: stepwise decoding in its plainest form, one canvas at a time, in lists and loops."""

import torch
from torch import Tensor

from ssd.modeling.transformer import Transformer


def naive_stepwise(
    transformer: Transformer, prompt: list[int], gen_length: int, block_length: int, per_step: int
) -> tuple[list[int], list[tuple[int, int]]]:
    """Uncached low-confidence decoding: the response, and (position, token) in the order of commitment."""
    mask = transformer.config.mask_id
    canvas = prompt + [mask] * gen_length
    order = []
    for start in range(len(prompt), len(canvas), block_length):
        block = range(start, start + block_length)
        while mask in canvas[start : start + block_length]:
            probabilities = _probabilities(transformer, canvas)
            best = []
            for position in block:
                if canvas[position] == mask:
                    token = max(range(len(probabilities[position])), key=lambda t: (probabilities[position][t], -t))
                    best.append((-probabilities[position][token], position, token))
            for _, position, token in sorted(best)[:per_step]:
                canvas[position] = token
                order.append((position - len(prompt), token))
    return canvas[len(prompt) :], order


def _probabilities(transformer: Transformer, canvas: list[int]) -> list[list[float]]:
    with torch.no_grad():
        logits: Tensor = transformer.logits(torch.tensor([canvas]))[0].double()
    logits[:, transformer.config.mask_id] = -torch.inf
    return logits.softmax(dim=-1).tolist()
