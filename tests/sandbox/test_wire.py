"""The wire format: what goes in comes out, and whatever else comes in does no harm."""

import json
import math
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssd.sandbox import wire

hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.sampled_from([int, str, list, dict]),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=5,
)
values = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner, max_size=3) | st.sets(hashable, max_size=3) | st.dictionaries(hashable, inner, max_size=3)
    ),
    max_leaves=8,
)


def repr_of(value: Any) -> str:
    return f"{type(value).__name__} of {value.bit_length()} bits" if isinstance(value, int) else repr(value)


def no_object(value: Any) -> int:
    raise AssertionError(f"{value!r} is plain data")


def sent(value: Any) -> Any:
    message = wire.pack(wire.encode(value, no_object))
    (size,) = wire.LENGTH.unpack(message[: wire.LENGTH.size])
    assert size == len(message) - wire.LENGTH.size
    return wire.decode(wire.unpack(message[wire.LENGTH.size :]), no_object)


@given(values)
def test_plain_data_comes_out_as_it_went_in(value: Any) -> None:
    received = sent(value)
    assert type(received) is type(value)
    assert repr(received) == repr(value) or received == value


@pytest.mark.parametrize(
    "value", [10**5000, -(10**5000), -(2**10_000), 2**10_000 - 1, math.inf, -0.0, "\ud800", ""], ids=repr_of
)
def test_values_at_the_edges(value: Any) -> None:
    assert sent(value) == value
    assert type(sent(value)) is type(value)


def test_not_a_number() -> None:
    assert math.isnan(sent(math.nan))
    assert math.isnan(sent(Decimal("NaN")))


def test_subclasses_travel_as_their_bases() -> None:
    class Colour(IntEnum):
        RED = 3

    class Always(list[int]):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = None

    assert type(sent(Colour.RED)) is int
    assert type(sent(Always([1]))) is list
    assert sent(Always([1])) != [2]


def test_objects_travel_as_numbers() -> None:
    thing = object()
    data = wire.encode([thing, Fraction(1, 3)], lambda value: 7 if value is thing else -1)
    assert wire.decode(data, lambda number: f"object {number}") == ["object 7", Fraction(1, 3)]


def test_depth_is_bounded_both_ways() -> None:
    deep: list[Any] = []
    for _ in range(wire.MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(ValueError, match="nested deeper than 100"):
        wire.encode(deep, no_object)
    data: list[Any] = ["list"]
    for _ in range(wire.MAX_DEPTH + 1):
        data = ["list", data]
    with pytest.raises(wire.WireError, match="nested deeper than 100"):
        wire.decode(data, no_object)


@pytest.mark.parametrize(
    "data",
    [
        [],
        ["no such kind"],
        [["list"]],
        [None],
        ["set", ["list"]],
        ["dict", 1],
        ["dict", ["list"], 1],
        ["int", "zz"],
        ["int", 3],
        ["bytes", "0"],
        ["complex", "1", "2", "3"],
        ["complex", ["list"], 1],
        ["decimal", "x"],
        ["fraction", 1, 0],
        ["fraction", 1],
        ["type", "object"],
        ["type", ["list"]],
        ["object"],
    ],
)
def test_hostile_data_is_refused(data: Any) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(data, {}.__getitem__)


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[" * 100_000, b"1" * 5000, b"nul"])
def test_hostile_bytes_are_refused(body: bytes) -> None:
    with pytest.raises(wire.WireError, match="not JSON"):
        wire.unpack(body)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=4), max_leaves=12))
@pytest.mark.slow
def test_any_json_is_decoded_or_refused(data: Any) -> None:
    try:
        wire.decode(json.loads(json.dumps(data)), {}.__getitem__)
    except wire.WireError:
        assert isinstance(data, list)
