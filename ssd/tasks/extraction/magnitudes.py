"""Find how small the numbers of parsed answers are. Only the process that compares answers imports this module."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from sympy import Basic, Expr, Float, MatrixBase, N, preorder_traversal

# SymPy raises them for numbers that it cannot evaluate, such as an undefined integral.
_NO_NUMBER = (ArithmeticError, AttributeError, NotImplementedError, RecursionError, TypeError, ValueError)


def leading_zeros(parsed: Iterable[object]) -> int:
    """Return the zeros between the point and the first digit of the smallest number that is not 0: 4 for 0.0000672."""
    exponents = (exponent for answer in parsed for number in _numbers(answer) for exponent in _exponent(number))
    return max(0, -1 - min(exponents, default=0))


def _numbers(answer: object) -> Iterator[Expr]:
    parts = answer.flat() if isinstance(answer, MatrixBase) else [answer]
    for part in parts:
        if isinstance(part, Basic):
            yield from (node for node in preorder_traversal(part) if isinstance(node, Expr) and node.is_number)


def _exponent(number: Expr) -> Iterator[int]:
    """Yield the power of ten of the number's first digit, or nothing for 0 and for what has no value."""
    try:
        value = N(abs(number), 3)
    except _NO_NUMBER:
        return
    if isinstance(value, Float) and value:
        yield Decimal(str(value)).adjusted()
