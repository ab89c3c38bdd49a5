"""A double of CUDA graphs: the operations of a computation are written down once, and repeated on the same tensors."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

# What asks the host for a value, tells it one, or has a shape that depends on values.
FORBIDDEN = {
    "aten::_local_scalar_dense", "aten::item", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::unique",
    "aten::lift_fresh", "aten::lift_fresh_copy", "aten::is_nonzero", "aten::_unique2", "aten::bincount",
}  # fmt: skip


class Recorder(TorchDispatchMode):
    """Writes down what runs under it. Raises RuntimeError for what a capture does not take."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, tuple, dict[str, Any], list[Tensor | None]]] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function._schema.name in FORBIDDEN or chooses_rows(function, args):
            raise RuntimeError(f"{function} cannot be captured")
        result = function(*args, **(kwargs or {}))
        own = [tensor if is_own(tensor, args, kwargs or {}) else None for tensor in tensors(result)]
        self.operations.append((function, args, kwargs or {}, own))
        return result

    def repeat(self) -> None:
        """Once more, and every result to where it was the first time."""
        for function, args, kwargs, own in self.operations:
            again = tensors(function(*args, **kwargs))
            for old, new in zip(own, again, strict=True):
                if old is not None:
                    old.copy_(new)

    def owned(self) -> list[Tensor]:
        """Return the results that have memory of their own."""
        return [tensor for *_, own in self.operations for tensor in own if tensor is not None]


class RecordedGraphs:
    """In place of `CudaGraphs`. Between two captures memory of the pool is shared, so that old outputs are lost."""

    def __init__(self) -> None:
        self.captures = self.replays = 0
        self._outputs: list[Tensor] = []

    def __call__(self, compute: Callable[[], Tensor]) -> Callable[[], Tensor]:
        with Recorder() as recorder:
            output = compute()
        self.captures += 1
        self._outputs.append(output)

        def replay() -> Tensor:
            self.replays += 1
            for old in self._outputs:
                old.fill_(torch.nan)
            recorder.repeat()
            return output

        return replay


def chooses_rows(function: Any, args: tuple) -> bool:
    """Whether rows are picked by a mask, whose sum the host has to know."""
    return function._schema.name.startswith("aten::index") and any(
        tensor.dtype == torch.bool for tensor in tensors(args[1])
    )


def is_own(result: Tensor, args: tuple, kwargs: dict[str, Any]) -> bool:
    """Whether an operation's result has memory of its own: it is neither a view nor made in place."""
    given = {tensor.untyped_storage().data_ptr() for tensor in tensors((args, kwargs))}
    return result.untyped_storage().data_ptr() not in given


def tensors(tree: Any) -> list[Tensor]:
    """Return the tensors of nested tuples, lists and dictionaries, in a tenth of the time of torch's tree_leaves."""
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, tuple | list):
        return []
    return [tensor for branch in tree for tensor in tensors(branch)]
