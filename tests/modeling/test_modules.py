"""Modules of a layer: their shorter calls always use the weights and modules that the layer has now."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ssd.modeling.modules import Linear, RMSNorm
from tests.models import random_transformer


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
def test_a_product_is_that_of_torch_after_every_change_of_its_weight(dtype, bias):
    ours, theirs, rows = Linear(6, 4, bias=bias), nn.Linear(6, 4, bias=bias), torch.randn(3, 6, dtype=dtype)

    def check():
        assert torch.equal(ours(rows), F.linear(rows, ours.weight, ours.bias))
        assert torch.equal(ours(rows), theirs(rows))

    for module in (ours.to(dtype), theirs.to(dtype)):
        module.load_state_dict(theirs.state_dict(), assign=True)
    check()
    ours.weight = theirs.weight = nn.Parameter(torch.randn(4, 6, dtype=dtype))
    check()
    with torch.no_grad():
        theirs.weight *= 2
    check()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_norm_rounds_to_16_bits_before_its_weight(dtype):
    norm, rows = RMSNorm(8, 1e-5).to(dtype), torch.randn(5, 8, dtype=dtype)
    norm.weight = nn.Parameter(torch.randn(8, dtype=dtype))
    wide = rows.double()
    expected = (wide * (wide.square().mean(dim=-1, keepdim=True) + 1e-5).rsqrt()).to(dtype) * norm.weight
    assert norm(rows).dtype == dtype
    assert torch.allclose(norm(rows), expected, rtol=1e-5 if dtype != torch.bfloat16 else 1e-2)


def test_a_layer_calls_the_module_that_replaced_another():
    transformer = random_transformer("sdar")
    tokens = torch.arange(5, 13)[None]
    before, layer = transformer.logits(tokens), transformer.layers[0]
    layer.down = Linear(layer.down.in_features, layer.down.out_features, bias=False).to(torch.float64)
    nn.init.zeros_(layer.down.weight)
    replaced = transformer.logits(tokens)
    assert not torch.allclose(before, replaced)
    assert layer.down.weight is dict(layer.named_parameters())["down.weight"]


def test_hooks_of_a_module_run():
    module, seen = Linear(6, 4), []
    hooks = [
        module.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape)),
        module.register_forward_hook(lambda _, given, made: seen.append(made.shape)),
    ]
    rows = torch.randn(3, 6)
    hooked = module(rows)
    assert seen == [(3, 6), (3, 4)]
    for hook in hooks:
        hook.remove()
    assert torch.equal(module(rows), hooked)
    assert len(seen) == 2
