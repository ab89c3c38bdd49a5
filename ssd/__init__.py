"""Lossless speculative decoding of masked diffusion language models (SSD, arXiv 2510.04147), and its benchmark.

    import ssd
    model = ssd.load("llada_tiny")
    print(ssd.decode(model, "Mia has 9 toys. She finds 8 more. How many toys does Mia have now?").text)

docs/python.md explains every name. A name is imported when it is first used, so `import ssd` is quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baselines.apd import APD
    from baselines.fast_dllm import FastDLLM
    from baselines.freedave import FreeDave
    from baselines.psd import ParallelSelfSpeculative
    from baselines.stepwise import Stepwise
    from baselines.wino import WINO
    from ssd.api.compare import compare
    from ssd.api.comparison import Comparison
    from ssd.api.decode import Response, decode
    from ssd.api.load import LoadedModel, load
    from ssd.api.results import read, run
    from ssd.decoding.settings import GenerationSettings
    from ssd.speculation.decoder import SelfSpeculative

__all__ = [
    "APD",
    "WINO",
    "Comparison",
    "FastDLLM",
    "FreeDave",
    "GenerationSettings",
    "LoadedModel",
    "ParallelSelfSpeculative",
    "Response",
    "SelfSpeculative",
    "Stepwise",
    "compare",
    "decode",
    "load",
    "read",
    "run",
]
_HOMES = {
    "APD": "baselines.apd",
    "WINO": "baselines.wino",
    "Comparison": "ssd.api.comparison",
    "FastDLLM": "baselines.fast_dllm",
    "FreeDave": "baselines.freedave",
    "GenerationSettings": "ssd.decoding.settings",
    "LoadedModel": "ssd.api.load",
    "ParallelSelfSpeculative": "baselines.psd",
    "Response": "ssd.api.decode",
    "SelfSpeculative": "ssd.speculation.decoder",
    "Stepwise": "baselines.stepwise",
    "compare": "ssd.api.compare",
    "decode": "ssd.api.decode",
    "load": "ssd.api.load",
    "read": "ssd.api.results",
}
"""Module of each name but `run`, which is also the name of a package."""


class _CallableRun(ModuleType):
    """Class of the package `ssd.run`, which the import system binds to the name of the function `run`."""

    def __call__(self, words: str | Sequence[str]) -> dict[str, Any]:
        """Return the summary of one run; see `ssd.api.results.run`."""
        summary: dict[str, Any] = import_module("ssd.api.results").run(words)
        return summary


import_module("ssd.run").__class__ = _CallableRun


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from ssd.version import version

        return version()
    if name not in _HOMES:
        raise AttributeError(f"module 'ssd' has no attribute {name!r}; expected one of {', '.join(__all__)}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
