"""The `runtime` group: number of prompts, device and arithmetic."""

from __future__ import annotations

import os
from dataclasses import dataclass
from shutil import which
from typing import Literal, get_args

import torch

from ssd.config.validate import require_bool, require_one_of, require_text

EngineName = Literal["eager", "graph", "compile"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
Numerics = Literal["native", "locked", "float64"]
NUMERICS: tuple[Numerics, ...] = get_args(Numerics)
DTYPES = {name: getattr(torch, name) for name in ("float64", "float32", "bfloat16", "float16")}
REFERENCES = ("stepwise", "chain")
MOST_THREADS = 1024
"""Limit of runtime.threads: PyTorch ends with a segmentation fault where the system refuses a thread."""


@dataclass(frozen=True)
class Runtime:
    """The `runtime` group. Raises ValueError naming the key and the expected values."""

    limit: int | None
    device: str
    dtype: str
    numerics: Numerics
    engine: EngineName
    batch_size: int
    reference: str
    threads: int | None
    warmup: int
    traces: bool
    confidences: bool
    predict: bool
    repeats: int
    pass_at: list[int]
    timing: bool
    workers: int | None
    address: str | None

    def __post_init__(self) -> None:
        whole = (
            ("limit", 1, True),
            ("threads", 1, True),
            ("warmup", 0, False),
            ("repeats", 1, False),
            ("batch_size", 1, False),
            ("workers", 0, True),
        )
        for name, least, may_be_null in whole:
            value = getattr(self, name)
            if (type(value) is not int or value < least) and not (value is None and may_be_null):
                or_null = " or null" if may_be_null else ""
                raise ValueError(f"runtime.{name}={value}: expected a whole number of at least {least}{or_null}")
        check_threads(self.threads, "runtime.threads=")
        for name in ("traces", "confidences", "predict", "timing"):
            require_bool(f"runtime.{name}", getattr(self, name))
        if (
            not isinstance(self.pass_at, list)
            or not self.pass_at
            or not all(type(k) is int and 1 <= k <= self.repeats for k in self.pass_at)
        ):
            raise ValueError(
                f"runtime.pass_at={self.pass_at}: expected a list of whole numbers from 1 to runtime.repeats="
                f"{self.repeats}, as pass_at=[1,5]"
            )
        for name, choices in (("dtype", DTYPES), ("numerics", NUMERICS), ("reference", REFERENCES)):
            require_one_of(f"runtime.{name}", getattr(self, name), choices)
        if self.numerics == "locked" and self.batch_size > 1:
            raise ValueError(
                f"runtime.numerics=locked with runtime.batch_size={self.batch_size}: forwards shared by several "
                "responses have no fixed shape; pass runtime.batch_size=1 or runtime.numerics=native"
            )
        if self.confidences and (self.timing or not self.traces):
            raise ValueError(
                "runtime.confidences=true: confidences of decided positions are stored in traces, and they take time; "
                "pass runtime.traces=true runtime.timing=false"
            )
        check_engine(self.engine, self.batch_size)
        self.torch_device()
        if self.address is not None:
            require_text("runtime.address", self.address)
            if self.in_process:
                raise ValueError(
                    f"runtime.address={self.address} with runtime.workers=0: nothing is sent to a cluster; pass "
                    "runtime=ray, or runtime.address=null"
                )
        if not self.in_process and self.device.startswith("cuda:"):
            raise ValueError(
                f"runtime.device={self.device} with runtime.workers={self.workers}: each worker is given a device of "
                "its own; pass runtime.device=cuda"
            )

    @property
    def in_process(self) -> bool:
        """Whether this process decodes the prompts, not workers."""
        return self.workers == 0

    @property
    def predicts(self) -> bool:
        """Whether the time of forwards is measured, to predict the time of a response."""
        return self.predict and self.timing and self.batch_size == 1

    def torch_device(self) -> torch.device:
        """Return the device that `device` names."""
        return device_or_auto(self.device, "runtime.device=")

    def device_here(self) -> str:
        """Return the device's name on this machine. Raises ValueError for a missing device or an unfit engine."""
        device = self.torch_device()
        if self.device != "auto":
            check_here(device, "runtime.device=")
        check_graphs(self.engine, device)
        return str(device).removesuffix(":0")


def device_or_auto(name: str, option: str) -> torch.device:
    """Return the device of this name; `auto` is CUDA on a machine that has it, else the CPU. Raises ValueError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return device_named(name, option, "auto, ")


def device_named(name: str, option: str, others: str = "") -> torch.device:
    """Return the device of this name. Raises ValueError naming the option (as `--device `) and its values."""
    expected = f"{option}{name}: expected {others}cpu, cuda or cuda:N"
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise ValueError(expected) from error
    if device.type not in ("cpu", "cuda") or not isinstance(name, str):  # PyTorch takes the number 1 for cuda:1
        raise ValueError(expected)
    if device.type == "cpu" and device.index:
        raise ValueError(f"{expected}; all cores together are the one device cpu, and runtime.threads is their number")
    return device


def check_here(device: torch.device, option: str) -> None:
    """Raise ValueError naming the option if this machine lacks the device."""
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"{option}{device}: this machine has {torch.cuda.device_count()} CUDA devices; pass {option}cpu"
        )


def check_threads(threads: int | None, option: str) -> None:
    """Raise ValueError naming the option (as `--threads `) unless PyTorch can start so many threads."""
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise ValueError(
            f"{option}{threads}: expected 1 to {MOST_THREADS}, best the number of this machine's cores "
            f"({os.cpu_count()})"
        )


def check_engine(engine: str, batch_size: int) -> None:
    """Raise ValueError in one line for an unknown engine, or one that cannot decode batches."""
    require_one_of("runtime.engine", engine, ENGINES)
    if engine != "eager" and batch_size > 1:
        raise ValueError(
            f"runtime.engine={engine} with runtime.batch_size={batch_size}: forwards shared by several responses have "
            "no fixed shape; pass runtime.batch_size=1 or runtime.engine=eager"
        )


def check_graphs(engine: str, device: torch.device) -> None:
    """Raise ValueError in one line for an engine that this device does not have."""
    if engine == "graph" and device.type != "cuda":
        raise ValueError(
            f"runtime.engine=graph on {device}: only CUDA has graphs; pass runtime.engine=eager (or compile), or "
            "runtime.device=cuda"
        )
    compiler = os.environ.get("CXX", "g++")
    if engine == "compile" and device.type == "cpu" and which(compiler) is None:
        raise ValueError(
            f"runtime.engine=compile on {device}: no C++ compiler {compiler}; install g++, name another one in the "
            "environment variable CXX, or pass runtime.engine=eager"
        )
