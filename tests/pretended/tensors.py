"""Tensors of a pretended CUDA device: computed on the CPU, with a record of whenever the host waits for the device."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tests.modeling.recorded import FORBIDDEN, chooses_rows, tensors
from tests.pretended.kernels import kernel_of
from tests.pretended.record import RECORD

READS = FORBIDDEN - {"aten::lift_fresh", "aten::lift_fresh_copy"}
WORDS = (torch.device, torch._C._nn._parse_to)
"""What only speaks of devices."""
READ_AS_NUMBERS = ("aten::fill_", "aten::copy_", "aten::index_put_")
TRANSFERS = (Tensor.to, Tensor.cuda, torch.tensor, torch.as_tensor)


class DeviceTensor(Tensor):
    """`held` has its values; everything else believes that it lies on `place`."""

    held: Tensor
    place: torch.device
    __torch_function__ = torch._C._disabled_torch_function_impl
    device = property(lambda self: self.place)
    is_cuda = property(lambda self: True)

    @staticmethod
    def __new__(cls, inner: Tensor, place: torch.device) -> "DeviceTensor":
        layout = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        made = Tensor._make_wrapper_subclass(cls, inner.shape, **layout)
        made.held, made.place = inner, place
        return made

    def untyped_storage(self) -> torch.UntypedStorage:
        return self.held.untyped_storage()

    def to(self, *args: Any, copy: bool = False, **kwargs: Any) -> Tensor:
        device, dtype, non_blocking, _ = torch._C._nn._parse_to(*args, **kwargs)
        moved = self if dtype is None else super().to(dtype)
        if device is None or (device.type == "cuda" and RECORD.index(device) == self.place):
            return moved.clone() if copy and moved is self else moved
        if device.type == "cuda":
            raise RuntimeError(f"moved from {self.place} to {RECORD.index(device)}")
        if non_blocking:
            raise RuntimeError("a copy to the host that nobody waits for may be read before it has come")
        RECORD.read("to")
        return moved.held.clone()

    def cpu(self) -> Tensor:
        return self.to("cpu")

    def tolist(self) -> Any:
        return self.cpu().tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert a CUDA tensor to numpy")

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        return run(function, args, kwargs or {})


def run(function: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
    """One operation on the device. Raises RuntimeError for operands that lie elsewhere."""
    name, given = function._schema.name, tensors((args, kwargs))
    there = [tensor for tensor in given if isinstance(tensor, DeviceTensor)]
    here = [tensor for tensor in given if not isinstance(tensor, DeviceTensor)]
    place = there[0].place
    if any(tensor.place != place for tensor in there):
        raise RuntimeError(f"{function} of tensors on several devices")
    if name in READS or chooses_rows(function, args):
        RECORD.read(name)
    if name == "aten::copy_" and here:
        if isinstance(args[0], DeviceTensor):
            RECORD.send(name, waits=not (len(args) > 2 and args[2]))
        else:
            RECORD.read(name)
    elif name.startswith("aten::index") and here and all(any(one is each for each in tensors(args[1])) for one in here):
        RECORD.send(name, waits=True)  # indices on the host are brought over
    elif any(tensor.dim() for tensor in here) or (here and not takes_numbers(function)):
        raise RuntimeError(f"{function} of tensors on {place} and on the host")
    RECORD.work[place.index] += 1
    bare_args, bare_kwargs = tree_map(on_host, (args, kwargs))
    result = kernel_of(function)(RECORD.kernels, function, *bare_args, **bare_kwargs)
    known = {id(on_host(tensor)): tensor for tensor in given}  # what is changed in place stays itself
    return tree_map(
        lambda leaf: known.get(id(leaf), DeviceTensor(leaf, place)) if isinstance(leaf, Tensor) else leaf, result
    )


def takes_numbers(function: Any) -> bool:
    """Whether an operation takes a single value from the host, as a parameter of its kernel."""
    return torch.Tag.pointwise in function.tags or function._schema.name in READ_AS_NUMBERS


class OnDevice(TorchFunctionMode):
    """Gives whoever asks for a CUDA device the pretended one."""

    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        asked = _cuda_device((args, kwargs))
        if asked is None or function in WORDS:
            return function(*args, **kwargs)
        place, of_device = RECORD.index(asked), args and isinstance(args[0], DeviceTensor)
        if of_device and args[0].place != place:
            raise RuntimeError(f"{function} on {place} of a tensor on {args[0].place}")
        waits = not kwargs.pop("non_blocking", False)
        made = function(*_without_device(args, "cpu"), **_without_device(kwargs, None if of_device else "cpu"))
        if of_device:
            return made
        if function in TRANSFERS:
            RECORD.send(function.__name__, waits)
        RECORD.work[place.index] += 1
        return DeviceTensor(made.clone() if args and made is args[0] else made, place)


def on_host(tensor: Any) -> Any:
    """A test's own look at a tensor, which is not recorded."""
    return tensor.held if isinstance(tensor, DeviceTensor) else tensor


def on_device(tensor: Tensor, place: str = "cuda:0") -> Tensor:
    """A host's tensor, as a test hands it to the device."""
    return DeviceTensor(tensor, torch.device(place))


def tree_map(change: Callable[[Any], Any], tree: Any) -> Any:
    """Return nested tuples, lists and dictionaries with changed leaves, in a tenth of the time of torch's tree_map."""
    kind = type(tree)
    if kind is tuple or kind is list:
        return kind([tree_map(change, branch) for branch in tree])
    if kind is dict:
        return {key: tree_map(change, branch) for key, branch in tree.items()}
    return change(tree)


def _is_cuda(leaf: Any) -> bool:
    return (isinstance(leaf, torch.device) and leaf.type == "cuda") or (
        isinstance(leaf, str) and leaf.partition(":")[0] == "cuda"
    )


def _cuda_device(arguments: tuple[tuple, dict[str, Any]]) -> torch.device | None:
    args, kwargs = arguments
    named = [leaf for leaf in (*args, kwargs.get("device")) if _is_cuda(leaf)]
    return torch.device(named[0]) if named else None


def _without_device(tree: Any, stand_in: str | None) -> Any:
    return tree_map(lambda leaf: stand_in if _is_cuda(leaf) else leaf, tree)
