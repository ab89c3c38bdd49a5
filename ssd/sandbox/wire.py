"""Encode plain data as bytes that are safe to decode from an untrusted sender.

None, booleans, numbers and strings become their JSON values. All other data becomes a list that begins with its kind.
Instances of subclasses become their base types. Any other object is kept, and only its number is sent.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 100
LENGTH = struct.Struct(">I")
"""The header of a message: the length of its body in bytes."""

_SEQUENCES: dict[str, type[list[Any] | tuple[Any, ...] | set[Any] | frozenset[Any]]] = {
    base.__name__: base for base in (list, tuple, set, frozenset)
}
_TYPES = {base.__name__: base for base in (*_SEQUENCES.values(), dict, bool, int, float, complex, str, bytes)}
# JSON writes integers in decimal digits, and Python converts at most 4,300 of them.
_DECIMAL_BITS = 10_000


class WireError(ValueError):
    """The received bytes are no valid message."""


def pack(message: Any) -> bytes:
    """Return the message as bytes: its length, then its body."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    return LENGTH.pack(len(body)) + body


def unpack(body: bytes) -> Any:
    """Return the message of a body; raise WireError if it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON ({error})") from error


def encode(value: Any, number_of: Callable[[Any], int], depth: int = 0) -> Any:
    """Return the value as JSON data. `number_of` keeps an object that is not plain data and returns its number."""
    if depth > MAX_DEPTH:
        raise ValueError(f"a value is nested deeper than {MAX_DEPTH} levels")
    if value is None or isinstance(value, bool | float | str):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= _DECIMAL_BITS else ["int", hex(value)]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, complex):
        return ["complex", value.real, value.imag]
    for kind, base in _SEQUENCES.items():
        if isinstance(value, base):
            return [kind, *(encode(item, number_of, depth + 1) for item in value)]
    if isinstance(value, dict):
        return ["dict", *(encode(item, number_of, depth + 1) for pair in value.items() for item in pair)]
    if isinstance(value, type) and value in _TYPES.values():
        return ["type", value.__name__]
    if _is("decimal", "Decimal", value):
        return ["decimal", str(value)]
    if _is("fractions", "Fraction", value):
        return ["fraction", encode(value.numerator, number_of), encode(value.denominator, number_of)]
    return ["object", number_of(value)]


def decode(data: Any, object_of: Callable[[int], Any]) -> Any:
    """Return the value that `encode` turned into the data. `object_of` returns the object with a number.

    Raise WireError if the data is not valid.
    """
    try:
        return _decode(data, object_of, 0)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise WireError(f"{type(error).__name__}: {error}") from error


def _decode(data: Any, object_of: Callable[[int], Any], depth: int) -> Any:
    if not isinstance(data, list):
        return data
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    kind = data[0]
    parts = [_decode(item, object_of, depth + 1) for item in data[1:]]
    if kind in _SEQUENCES:
        return _SEQUENCES[kind](parts)
    if kind == "dict":
        return dict(zip(parts[::2], parts[1::2], strict=True))
    if kind == "int":
        return int(parts[0], 16)
    if kind == "bytes":
        return bytes.fromhex(parts[0])
    if kind == "complex":
        return complex(parts[0], parts[1])
    if kind == "type":
        return _TYPES[parts[0]]
    if kind == "object":
        return object_of(parts[0])
    if kind == "decimal":
        from decimal import Decimal

        return Decimal(parts[0])
    if kind == "fraction":
        from fractions import Fraction

        return Fraction(parts[0], parts[1])
    raise ValueError(f"unknown kind {kind!r}")


def _is(module: str, name: str, value: Any) -> bool:
    """Return whether the value is an instance of the class, without importing its module."""
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name))
