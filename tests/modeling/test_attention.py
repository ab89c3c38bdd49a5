"""Rotary tables: rounding, dtypes, growth; attention by hand."""

import math

import pytest
import torch

from ssd.modeling.attention import Rotary, attend_at_once, attend_in_parts
from ssd.modeling.config import Family
from tests.modeling.windows import random_canvas
from tests.models import random_model, random_transformer

CPU = torch.device("cpu")


@pytest.mark.parametrize("theta", [5e5, 1e6])
def test_frequencies_are_rounded_as_in_the_published_code(theta: float) -> None:
    """1 / theta^x and theta^-x differ in the last bit of float32, which 4,000 positions magnify."""
    cosine, sine = Rotary(128, theta, full_precision=True).tables(4096, CPU, torch.float32)
    inverse = 1.0 / (theta ** (torch.arange(0, 128, 2, dtype=torch.float) / 128))
    angles = torch.einsum("i,j->ij", torch.arange(4096, dtype=torch.float), inverse)
    assert torch.equal(cosine[:, :64], angles.cos())
    assert torch.equal(sine[:, 64:], angles.sin())


@pytest.mark.parametrize(
    ("full_precision", "model_dtype", "table_dtype"),
    [
        (True, torch.bfloat16, torch.float32),
        (True, torch.float64, torch.float64),
        (False, torch.bfloat16, torch.bfloat16),
        (False, torch.float64, torch.float64),
    ],
)
def test_rotation_dtype(full_precision: bool, model_dtype: torch.dtype, table_dtype: torch.dtype) -> None:
    rotary = Rotary(8, 1e4, full_precision)
    assert rotary.tables(5, CPU, model_dtype)[0].dtype == table_dtype
    assert rotary.rotate(torch.ones(1, 1, 5, 8, dtype=model_dtype), 0).dtype == model_dtype


def test_tables_grow_and_keep_what_they_held() -> None:
    rotary = Rotary(8, 1e4, full_precision=True)
    short = rotary.tables(1, CPU, torch.float32)[0]
    long = rotary.tables(33, CPU, torch.float32)[0]
    assert long.shape[0] >= 33
    assert torch.equal(long[: short.shape[0]], short)
    assert rotary.tables(20, CPU, torch.float32)[0] is long


def test_scores_depend_on_distance_only() -> None:
    rotary = Rotary(16, 1e4, full_precision=True)
    query, key = torch.randn(2, 1, 1, 1, 16, dtype=torch.float64)
    near = rotary.rotate(query, 3) @ rotary.rotate(key, 1).mT
    far = rotary.rotate(query, 45) @ rotary.rotate(key, 43).mT
    assert (near - far).abs().max() < 1e-5


def test_training_works_after_inference(family: Family) -> None:
    """The tables are cached; ones made in inference mode could not be saved for a backward pass."""
    transformer = random_transformer(family)
    tokens = random_canvas(transformer.config)[None]
    with torch.inference_mode():
        transformer.logits(tokens)
    transformer.logits(tokens).logsumexp(-1).sum().backward()
    assert transformer.embedding.weight.grad is not None


@pytest.mark.parametrize("context", [0, 1, 3, 70])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("beside_context", [attend_in_parts, attend_at_once])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 2e-2)], ids=str
)
def test_attention_by_hand(dtype, tolerance, beside_context, masked: bool, context: int) -> None:
    """Two query heads per key head, two nodes, a context, against a loop over the definition in float64."""
    generator = torch.Generator().manual_seed(0)
    nodes, groups, repeats, window, size = 2, 3, 2, 4, 8
    query = torch.randn(nodes, groups * repeats, window, size, generator=generator, dtype=torch.float64).to(dtype)
    key, value = torch.randn(2, nodes, groups, window, size, generator=generator, dtype=torch.float64).to(dtype)
    frozen_key, frozen_value = torch.randn(2, groups, context, size, generator=generator, dtype=torch.float64).to(dtype)
    visible = (torch.rand(window, window, generator=generator) < 0.5) | torch.eye(window, dtype=torch.bool)
    mixed = beside_context(query, key, value, frozen_key, frozen_value, visible if masked else None)
    assert mixed.dtype == dtype
    for node in range(nodes):
        for head in range(groups * repeats):
            group = head // repeats
            keys = torch.cat((frozen_key[group], key[node, group])).double()
            values = torch.cat((frozen_value[group], value[node, group])).double()
            scores = query[node, head].double() @ keys.T / math.sqrt(size)
            if masked:
                scores[:, context:] = scores[:, context:].masked_fill(~visible, -torch.inf)
            assert (mixed[node, head] - scores.softmax(-1) @ values).abs().max() < tolerance


def test_models_of_one_seed_are_equal(family: Family) -> None:
    """The tests' own random models: the seed decides, the dtype only rounds."""
    tokens = random_canvas(random_model(family).config)[None]
    first, again, other = (random_model(family, seed).transformer.logits(tokens) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    rounded = random_model(family, 3, torch.float32).transformer.logits(tokens)
    assert (rounded - first).abs().max() < 1e-4
