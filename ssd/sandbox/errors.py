"""What can go wrong in a judge: with the sandbox, with a candidate, or in a program's own code."""

from __future__ import annotations

from ssd.sandbox.program import Reason


class SandboxError(RuntimeError):
    """The sandbox itself failed, which says nothing about the program."""


class CandidateLost(BaseException):
    """The candidate will never answer again. Not an Exception: tests that catch those must not go on without it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class CandidateError(Exception):
    """What the program raised when it was asked."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


_BASES = (AttributeError, IndexError, KeyError, StopIteration, TypeError, ValueError, ZeroDivisionError)
# So that what a test or Python itself expects to be raised is caught as if the program ran here.
_CLASSES = {base.__name__: type(f"Candidate{base.__name__}", (CandidateError, base), {}) for base in _BASES}


def raised(kind: str, message: str) -> CandidateError:
    """Return the exception to raise here for one of the given kind in the candidate."""
    return _CLASSES.get(kind, CandidateError)(kind, message)
