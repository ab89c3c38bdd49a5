"""Failed runs: one line for the user, the traceback in error.json."""

from __future__ import annotations

import torch

from ssd.config.plan import Plan
from ssd.results.store import RunFolder
from ssd.sandbox.errors import SandboxError

EXPECTED = (ValueError, OSError, FloatingPointError, SandboxError)
"""Errors whose message was written for the user."""
OUT_OF_MEMORY = (
    "pass a shorter generation.gen_length, runtime.dtype=bfloat16, fewer nodes (decoder.depth, decoder.budget) or a "
    "smaller runtime.batch_size"
)


def line_of(error: BaseException) -> str:
    """Return the error message, the remedy if there is one, and the notes that were added to the error."""
    message = " ".join(str(error).split())
    if _is_out_of_memory(error):
        message = f"out of memory: {message.partition('.')[0]}; {OUT_OF_MEMORY}"
    elif not isinstance(error, EXPECTED) or not message:
        message = f"{type(error).__name__}: {message}"
    return "; ".join([message, *getattr(error, "__notes__", [])])


def keep_traceback(error: BaseException, plan: Plan | None, in_grid: bool) -> None:
    """Write error.json for an error that its run could not write itself, and name that file in the error's notes.

    An expected error of a single line needs none: its message is enough. Runs that are done, or that another process
    is measuring, keep their folders as they are.
    """
    noted = getattr(error, "__notes__", [])
    if plan is None or noted or isinstance(error, BlockingIOError):
        return
    folder = RunFolder(plan.results_dir, plan.config)
    if not folder.is_done and (in_grid or not isinstance(error, EXPECTED)):
        folder.fail(error)


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
