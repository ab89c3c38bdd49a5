"""Convert a trained dream_tiny into a network of LLaDA's shape with nearly the same output.

Dream predicts a position from the output one position to its left, LLaDA from the output at the position itself. A new
first layer bridges the difference. It attends only one position to the left, and replaces each embedding by that of its
left neighbour. In later layers every position then computes what its left neighbour computes in Dream. LLaDA has no
biases: a residual dimension with a constant value replaces them, and also drives the new layer.
"""

import torch
from torch import Tensor

from ssd.modeling.forward_input import ForwardInput
from ssd.modeling.transformer import Layer, Transformer

_CONSTANT = 0.5
_SHARPNESS = 15.0
_PITCHES = 3
"""Number of fastest rotary frequencies in use. Slower ones add nearly the same to every score."""

_QUIETNESS = 60.0
"""Ratio of the left neighbour's embedding to the position's own."""


@torch.no_grad()
def convert(dream: Transformer, llada: Transformer, sample: Tensor) -> None:
    """Overwrite the weights of `llada`, which needs one layer more and a wider residual stream than `dream`.

    `sample`: token ids [rows, length], to measure the size of Dream's hidden states. Raise ValueError for other shapes.
    """
    narrow, wide = dream.config.hidden_size, llada.config.hidden_size
    size, heads = dream.config.head_size, dream.config.heads
    if llada.config.head_size != size or wide <= narrow or llada.config.layers != dream.config.layers + 1:
        raise ValueError("the LLaDA shape needs the same head size, a wider residual stream and one more layer")
    for name, weight in llada.named_parameters():
        if name.endswith("norm.weight"):
            weight.fill_(1.0)
        else:
            weight.normal_(std=0.02).mul_("attention_out" not in name and "down" not in name)
    loudness = _loudness(dream, sample)
    llada.embedding.weight[:, :narrow] = dream.embedding.weight / _QUIETNESS
    llada.embedding.weight[:, narrow:] = 0.0
    llada.embedding.weight[:, narrow] = loudness[0] / _QUIETNESS
    llada.head.weight[:, :narrow] = dream.head.weight
    llada.head.weight[:, narrow:] = 0.0
    llada.norm.weight[:narrow] = dream.norm.weight
    shares = heads // dream.config.key_value_heads
    for theirs, ours, loud in zip(dream.layers, llada.layers[1:], loudness, strict=True):
        assert isinstance(theirs, Layer)
        assert isinstance(ours, Layer)
        _convert_layer(theirs, ours, narrow, size, shares, _scale(narrow, wide), loud)
    _look_left(llada, narrow, loudness[0])


def _scale(narrow: int, wide: int) -> float:
    """Return the factor that makes a norm over the wider stream equal to one over the narrow stream."""
    return (narrow / wide) ** 0.5


def _loudness(dream: Transformer, sample: Tensor) -> list[float]:
    """Return the root mean square of the hidden states before each layer."""
    sizes: list[float] = []

    def look(_: Layer, inputs: tuple[Tensor, ...]) -> None:
        sizes.append(float(inputs[0].square().mean(-1).rsqrt().mean().reciprocal()))

    hooks = [layer.register_forward_pre_hook(look) for layer in dream.layers]
    dream([ForwardInput(sample)])
    for hook in hooks:
        hook.remove()
    return sizes


def _convert_layer(theirs: Layer, ours: Layer, narrow: int, size: int, shares: int, scale: float, loud: float) -> None:
    ours.attention_norm.weight[:narrow] = theirs.attention_norm.weight * scale
    ours.attention_norm.weight[narrow:] = scale
    ours.mlp_norm.weight[:narrow] = theirs.mlp_norm.weight * scale
    for name in ("query", "key", "value"):
        given, taken = getattr(theirs, name), getattr(ours, name)
        copies = 1 if name == "query" else shares
        weight = given.weight.view(-1, size, narrow).repeat_interleave(copies, dim=0).flatten(0, 1)
        bias = given.bias.view(-1, size).repeat_interleave(copies, dim=0).flatten()
        taken.weight[: len(weight)] = 0.0
        taken.weight[: len(weight), :narrow] = weight
        taken.weight[: len(weight), narrow] = bias * loud / _CONSTANT
    ours.attention_out.weight.zero_()
    ours.attention_out.weight[:narrow, : theirs.attention_out.in_features] = theirs.attention_out.weight
    for name in ("gate", "up"):
        getattr(ours, name).weight.zero_()
        getattr(ours, name).weight[:, :narrow] = getattr(theirs, name).weight
    ours.down.weight.zero_()
    ours.down.weight[:narrow] = theirs.down.weight


def _look_left(llada: Transformer, narrow: int, loud: float) -> None:
    """Make the first layer replace every embedding by that of the left neighbour."""
    layer, size = llada.layers[0], llada.config.head_size
    assert isinstance(layer, Layer)
    frequencies = llada.config.rope_theta ** -(torch.arange(0, size, 2) / size)
    fast = (torch.arange(size // 2) < _PITCHES).float()
    query = torch.cat((frequencies.cos() * fast, -frequencies.sin() * fast)).repeat(llada.config.heads)
    key = torch.cat((fast, torch.zeros(size // 2))).repeat(llada.config.heads)
    quiet = (loud / _QUIETNESS) ** 2 * (narrow + 1) / llada.config.hidden_size
    layer.attention_norm.weight.fill_((quiet + llada.config.norm_epsilon) ** 0.5 * _QUIETNESS / loud)
    layer.query.weight.zero_()[:, narrow] = query * _SHARPNESS
    layer.key.weight.zero_()[:, narrow] = key * _SHARPNESS
    layer.value.weight.copy_(torch.eye(llada.config.hidden_size))
    layer.attention_out.weight.zero_()[:narrow, :narrow] = torch.eye(narrow) * loud
    layer.attention_out.weight[narrow, narrow] = _CONSTANT
