"""Plain data as bytes, in a format that is safe to decode whoever wrote it.

None, booleans, numbers and strings are themselves in JSON; everything else is a list that begins with its kind.
Instances of subclasses travel as their base types. Any other object stays where it is, and its number travels.
"""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 100
LENGTH = struct.Struct(">I")
"""Every message is preceded by its length in bytes."""

_SEQUENCES: dict[str, type] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
_TYPES = {base.__name__: base for base in (*_SEQUENCES.values(), dict, bool, int, float, complex, str, bytes)}
# JSON reads and writes decimal digits, of which Python takes 4,300 at most.
_DECIMAL_BITS = 10_000


class WireError(ValueError):
    """What was received is no message."""


def pack(message: Any) -> bytes:
    """Return the message with its length before it."""
    body = json.dumps(message, separators=(",", ":")).encode("ascii")
    return LENGTH.pack(len(body)) + body


def unpack(body: bytes) -> Any:
    """Return the message whose bytes these are."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON ({error})") from error


def encode(value: Any, number_of: Callable[[Any], int], depth: int = 0) -> Any:
    """Return the value as JSON can hold it; `number_of` keeps an object that is not plain data and numbers it."""
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
        return ["fraction", *(encode(part, number_of) for part in (value.numerator, value.denominator))]
    return ["object", number_of(value)]


def decode(data: Any, object_of: Callable[[int], Any]) -> Any:
    """Return the value that `encode` made the data of; `object_of` finds the object that has a number."""
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
    """Say whether the value is of a class whose module only some programs import."""
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name))
