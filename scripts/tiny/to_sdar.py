"""Convert a trained llada_tiny into a network of SDAR's shape with similar outputs.

SDAR norms each head's queries and keys. The norms' weights are set to the mean size of LLaDA's queries and keys, so
that attention scores keep their size. Training under the block-causal mask does the rest.
"""

from functools import partial

import torch
from torch import Tensor

from ssd.modeling.forward_input import ForwardInput
from ssd.modeling.transformer import Layer, Transformer


@torch.no_grad()
def convert_to_sdar(llada: Transformer, sdar: Transformer, sample: Tensor) -> None:
    """Overwrite the weights of `sdar`, which has LLaDA's head size, hidden size and number of layers, or more heads.

    A key head serves several query heads: it is the mean of theirs. Of a larger MLP the strongest neurons are kept.
    sample: token ids [rows, length], to measure the size of queries and keys. Raise ValueError for other shapes.
    """
    same = ("head_size", "hidden_size", "layers", "vocabulary_size")
    if any(getattr(llada.config, name) != getattr(sdar.config, name) for name in same):
        raise ValueError(f"the SDAR shape needs LLaDA's own {', '.join(same)}")
    sizes = _sizes(llada, sample)
    sdar.embedding.weight.copy_(llada.embedding.weight)
    sdar.norm.weight.copy_(llada.norm.weight)
    if not sdar.config.tied_head:
        sdar.head.weight.copy_(llada.head.weight)
    for index, (theirs, ours) in enumerate(zip(llada.layers, sdar.layers, strict=True)):
        assert isinstance(theirs, Layer)
        assert isinstance(ours, Layer)
        _convert_layer(theirs, ours, llada.config.head_size)
        ours.query_norm.weight.fill_(sizes["query"][index])
        ours.key_norm.weight.fill_(sizes["key"][index])


def _convert_layer(theirs: Layer, ours: Layer, size: int) -> None:
    for name in ("attention_norm", "mlp_norm"):
        getattr(ours, name).weight.copy_(getattr(theirs, name).weight)
    for name in ("query", "key", "value"):
        given, taken = (getattr(layer, name).weight for layer in (theirs, ours))
        taken.normal_(std=0.02)
        heads = given.unflatten(0, (-1, size))
        shared = ours.query.out_features // taken.shape[0]
        means = torch.stack([group.mean(dim=0) for group in heads.split(shared)])
        taken[: len(means) * size] = means.flatten(0, 1)
    ours.attention_out.weight.zero_()
    ours.attention_out.weight[:, : theirs.attention_out.in_features] = theirs.attention_out.weight
    strength = theirs.gate.weight.norm(dim=1) * theirs.up.weight.norm(dim=1) * theirs.down.weight.norm(dim=0)
    kept = strength.topk(ours.gate.out_features).indices.sort().values
    ours.gate.weight.copy_(theirs.gate.weight[kept])
    ours.up.weight.copy_(theirs.up.weight[kept])
    ours.down.weight.copy_(theirs.down.weight[:, kept])


def _sizes(llada: Transformer, sample: Tensor) -> dict[str, list[float]]:
    """Return the root mean square of every layer's queries and keys, averaged over heads and positions."""
    sizes: dict[str, list[float]] = {"query": [], "key": []}

    def look(name: str, _module: object, _inputs: object, output: Tensor) -> None:
        heads = output.unflatten(-1, (-1, llada.config.head_size))
        sizes[name].append(float(heads.square().mean(-1).sqrt().mean()))

    hooks = [
        getattr(layer, name).register_forward_hook(partial(look, name)) for layer in llada.layers for name in sizes
    ]
    llada([ForwardInput(sample)])
    for hook in hooks:
        hook.remove()
    return sizes
