"""Rotary tables: rounding, dtypes, growth; attention by hand."""

import math
from types import SimpleNamespace

import pytest
import torch

from ssd.modeling import fused_attention as fused
from ssd.modeling.attention import Rotary, attend, attend_by_node, attend_joint, attend_split, rotate
from ssd.modeling.config import Family
from ssd.modeling.static_attention import PackedAttention, SplitAttention
from tests.modeling.windows import random_canvas
from tests.models import random_model, random_transformer

CPU = torch.device("cpu")
DTYPES = ("float32", "float16", "bfloat16")


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
    turns = rotary.rotations(torch.arange(5), 5, model_dtype)
    assert rotate(torch.ones(5, 1, 8, dtype=model_dtype), turns).dtype == model_dtype


@pytest.mark.parametrize(("full_precision", "wide_dtype"), [(True, torch.float32), (False, torch.bfloat16)])
def test_rotation_rounds_as_the_published_code_does(full_precision: bool, wide_dtype: torch.dtype) -> None:
    """Each product rounded, then their sum: halves turned with a minus sign, at positions in any order."""
    rotary, positions = Rotary(16, 5e5, full_precision), torch.tensor([40, 3, 3, 0])
    vectors = torch.randn(4, 3, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    angles = torch.outer(positions.float(), 1.0 / (5e5 ** (torch.arange(0, 16, 2).float() / 16))).repeat(1, 2)[:, None]
    wide = vectors.to(wide_dtype)
    turned = torch.cat((-wide[..., 8:], wide[..., :8]), dim=-1)
    expected = wide * angles.cos().to(wide_dtype) + turned * angles.sin().to(wide_dtype)
    assert torch.equal(rotate(vectors, rotary.rotations(positions, 41, torch.bfloat16)), expected.bfloat16())


def test_tables_grow_and_keep_what_they_held() -> None:
    rotary = Rotary(8, 1e4, full_precision=True)
    short = rotary.tables(1, CPU, torch.float32)[0]
    long = rotary.tables(33, CPU, torch.float32)[0]
    assert long.shape[0] >= 33
    assert torch.equal(long[: short.shape[0]], short)
    assert rotary.tables(20, CPU, torch.float32)[0] is long


def test_scores_depend_on_distance_only() -> None:
    rotary = Rotary(16, 1e4, full_precision=True)
    query, key = torch.randn(2, 1, 1, 16, dtype=torch.float64)

    def score(query_at: int, key_at: int) -> torch.Tensor:
        turns = rotary.rotations(torch.tensor([query_at, key_at]), 46, torch.float64)
        rotated = rotate(torch.cat((query, key)), turns)[:, 0]
        return rotated[0] @ rotated[1]

    near, far = score(3, 1), score(45, 43)
    assert (near - far).abs().max() < 1e-5


def test_training_works_after_inference(family: Family) -> None:
    """The tables are cached; ones made in inference mode could not be saved for a backward pass."""
    transformer = random_transformer(family)
    tokens = random_canvas(transformer.config)[None]
    with torch.inference_mode():
        transformer.logits(tokens)
    transformer.logits(tokens).logsumexp(-1).sum().backward()
    assert transformer.embedding.weight.grad is not None


def attend_in_room(query, key, value, frozen_key, frozen_value, visible):
    """`attend_by_node` with room behind the context, in which garbage lies; what is frozen must stay."""
    garbage = torch.full_like(key[0], torch.nan)
    room = (torch.cat((frozen_key, garbage), dim=1), torch.cat((frozen_value, garbage), dim=1))
    mixed = attend_by_node(query, key, value, room)
    for buffer, frozen in zip(room, (frozen_key, frozen_value), strict=True):
        assert torch.equal(buffer[:, : frozen.shape[1]], frozen)
    return mixed


@pytest.mark.parametrize("context", [0, 1, 3, 70])
@pytest.mark.parametrize(
    ("beside_context", "masked"),
    [
        (attend_split, False),
        (attend_split, True),
        (attend_joint, False),
        (attend_joint, True),
        (attend_in_room, False),
    ],
)
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


@pytest.mark.parametrize("beside_context", [attend_split, attend_joint, attend_in_room])
def test_queries_may_be_fewer_than_the_windows_keys(beside_context) -> None:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(2, 6, 5, 8, generator=generator, dtype=torch.float64)
    key, value = torch.randn(2, 2, 3, 5, 8, generator=generator, dtype=torch.float64)
    frozen = torch.randn(2, 3, 9, 8, generator=generator, dtype=torch.float64)
    expected = beside_context(query, key, value, *frozen, None)[:, :, 1:3]
    torch.testing.assert_close(beside_context(query[:, :, 1:3], key, value, *frozen, None), expected)


@pytest.mark.parametrize(("heads", "groups"), [(32, 32), (28, 4)])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_other_devices_kernels_take_what_they_are_given(dtype: torch.dtype, heads: int, groups: int) -> None:
    """On no real device: the kernels' signatures and shapes, not their results."""

    def empty(*shape: int) -> torch.Tensor:
        return torch.empty(*shape, 128, device="meta", dtype=dtype)

    nodes, window, context = 3, 33, 1280
    query, own, room = empty(nodes, heads, window), empty(nodes, groups, window), empty(groups, context + 99)
    frozen = (room[:, :context], room[:, :context])
    assert attend(query, own, own, frozen, (room, room)).shape == query.shape
    for kind in (PackedAttention, SplitAttention):
        layout = kind([(room, room)], context, nodes, window, heads // groups * window)
        layout.resize(1000)
        assert layout.attend(0, query[:, :, :20], own, own, None).shape == (nodes, heads, 20, 128)


@pytest.mark.parametrize(
    ("capability", "expected"), [((7, 0), [True, False, False]), ((7, 5), [True, False, False]), ((8, 0), [True] * 3)]
)
def test_flash_attention_is_asked_for_where_there_is_some(capability, expected, monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    fused.has_flash.cache_clear()
    kinds = [SimpleNamespace(device=torch.device("cuda"), dtype=getattr(torch, name)) for name in DTYPES]
    assert [fused.has_fused(kind, 128) for kind in kinds] == expected
    assert not any(fused.has_fused(kind, 129) for kind in kinds)
    fused.has_flash.cache_clear()


@pytest.mark.parametrize("groups", [2, 6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_nodes_attention_has_the_same_bits_however_many_there_are(dtype: torch.dtype, groups: int) -> None:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(5, 6, 33, 8, generator=generator).to(dtype)
    key, value = torch.randn(2, 5, groups, 33, 8, generator=generator).to(dtype)
    room = tuple(torch.randn(2, groups, 90, 8, generator=generator).to(dtype))
    together = attend_by_node(query, key, value, room)
    for node in range(5):
        alone = attend_by_node(query[node, None], key[node, None], value[node, None], room)
        assert torch.equal(alone[0], together[node])


def test_models_of_one_seed_are_equal(family: Family) -> None:
    """The tests' own random models: the seed decides, the dtype only rounds."""
    tokens = random_canvas(random_model(family).config)[None]
    first, again, other = (random_model(family, seed).transformer.logits(tokens) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    rounded = random_model(family, 3, torch.float32).transformer.logits(tokens)
    assert (rounded - first).abs().max() < 1e-4
