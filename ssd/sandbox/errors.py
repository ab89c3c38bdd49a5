"""Errors of a judge: of the sandbox, of a candidate, and of a program."""

from __future__ import annotations

from ssd.sandbox.program import Reason


class SandboxError(RuntimeError):
    """The sandbox failed; the program got no verdict."""


class CandidateLost(BaseException):
    """The candidate cannot answer any more. No Exception, because tests that catch those must not continue."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class CandidateError(Exception):
    """An error that the program raised."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


_BASES = (AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError, ZeroDivisionError)
# Tests and Python catch these as if the program ran in the judge.
_CLASSES = {base.__name__: type(f"Candidate{base.__name__}", (CandidateError, base), {}) for base in _BASES}


def raised(kind: str, message: str) -> CandidateError:
    """Return the exception that stands for one of class `kind` in the candidate."""
    return _CLASSES.get(kind, CandidateError)(kind, message)
