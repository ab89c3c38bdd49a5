"""From a composed configuration to checked objects, before any weight is loaded."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from omegaconf import DictConfig, OmegaConf

from baselines.stepwise import Stepwise
from ssd.bench.environment import fingerprint
from ssd.bench.numerics import NUMERICS, Numerics
from ssd.decoding.decoder import BlockDecoder, Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.tasks.task import Document, Task

Built = TypeVar("Built")
DTYPES = {name: getattr(torch, name) for name in ("float64", "float32", "bfloat16", "float16")}

REFERENCES = ("stepwise", "chain")


@dataclass(frozen=True)
class Runtime:
    """The `runtime` group: how much is run, and on what. Raises ValueError naming the key and what was expected."""

    limit: int | None
    device: str
    dtype: str
    numerics: Numerics
    batch_size: int
    reference: str
    threads: int | None
    warmup: int
    traces: bool
    repeats: int
    pass_at: list[int]

    def __post_init__(self) -> None:
        whole = (
            ("limit", 1, True),
            ("threads", 1, True),
            ("warmup", 0, False),
            ("repeats", 1, False),
            ("batch_size", 1, False),
        )
        for name, least, may_be_null in whole:
            value = getattr(self, name)
            if (type(value) is not int or value < least) and not (value is None and may_be_null):
                or_null = " or null" if may_be_null else ""
                raise ValueError(f"runtime.{name}={value}: expected a whole number of at least {least}{or_null}")
        require_bool("runtime.traces", self.traces)
        if not isinstance(self.pass_at, list) or not all(
            type(k) is int and 1 <= k <= self.repeats for k in self.pass_at
        ):
            raise ValueError(
                f"runtime.pass_at={self.pass_at}: expected a list of whole numbers from 1 to runtime.repeats="
                f"{self.repeats}, as pass_at=[1,5]"
            )
        if self.dtype not in DTYPES:
            raise ValueError(f"runtime.dtype={self.dtype}: expected one of {', '.join(DTYPES)}")
        if self.numerics not in NUMERICS:
            raise ValueError(f"runtime.numerics={self.numerics}: expected one of {', '.join(NUMERICS)}")
        if self.numerics == "locked" and self.batch_size > 1:
            raise ValueError(
                f"runtime.numerics=locked with runtime.batch_size={self.batch_size}: forwards that several responses "
                "share have no fixed shape; pass runtime.batch_size=1 or runtime.numerics=native"
            )
        if self.reference not in REFERENCES:
            raise ValueError(f"runtime.reference={self.reference}: expected one of {', '.join(REFERENCES)}")

    def torch_device(self) -> torch.device:
        """The device; `auto` takes CUDA where there is one."""
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(self.device)
        except (RuntimeError, TypeError) as error:
            raise ValueError(f"runtime.device={self.device}: expected auto, cpu, cuda or cuda:N") from error
        if device.type not in ("cpu", "cuda"):
            raise ValueError(f"runtime.device={self.device}: expected auto, cpu, cuda or cuda:N")
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise ValueError(
                f"runtime.device={self.device}: this machine has {torch.cuda.device_count()} CUDA devices; "
                "pass runtime.device=cpu"
            )
        return device


@dataclass(frozen=True)
class Plan:
    """Everything a run needs but the weights."""

    config: dict[str, Any]
    settings: GenerationSettings
    special: SpecialTokens
    decoder: Decoder
    reference: BlockDecoder
    runtime: Runtime
    task: Task
    documents: list[Document]
    examples: list[Document]

    @property
    def results_dir(self) -> Path:
        return Path(self.config["results_dir"]).expanduser()


def make_plan(composed: DictConfig) -> Plan:
    """Check and build. Raises ValueError, FileNotFoundError or ConnectionError with one line for the user."""
    config = OmegaConf.to_container(composed, resolve=True, throw_on_missing=True)
    require_bool("overwrite", config["overwrite"])
    require_bool("decoder.lossless", config["decoder"].get("lossless"))
    for group in ("decoder", "model", "task"):
        require_text(f"{group}.name", config[group].get("name"))
    require_text("results_dir", config["results_dir"])
    settings = GenerationSettings(**_known(GenerationSettings, "generation", config["generation"]))
    runtime = Runtime(**_known(Runtime, "runtime", config["runtime"]))
    # A result depends on the device that `auto` stands for, so that is what the run id is made of.
    config["runtime"]["device"] = str(runtime.torch_device())
    if runtime.repeats > 1 and not settings.is_random:
        raise ValueError(
            f"runtime.repeats={runtime.repeats}: every response to a prompt would be the same; pass "
            "generation.temperature=0.8 or so, or runtime.repeats=1"
        )
    if runtime.reference == "chain" and settings.cache == "none":
        raise ValueError(
            "runtime.reference=chain: with generation.cache=none there is no hop from no cache to a cache; pass "
            "generation.cache=dual (or prefix), or runtime.reference=stepwise"
        )
    special = _check_model(config["model"])
    decoder = build_decoder(config["decoder"])
    task = _build("task", Task, config["task"])
    prints = [fingerprint(path) for path in decoder.files()]
    if prints:  # a result depends on what such a file holds, not on where it lies
        config["decoder"]["fingerprints"] = prints
    documents = task.documents(runtime.limit)
    examples = task.fewshot(task.num_fewshot) if task.num_fewshot else []
    # What is asked is part of the run's identity, not just the name of the file that it stands in.
    asked = hashlib.sha256(repr((examples, documents)).encode()).hexdigest()
    config["task"] |= {"version": task.version, "sha256": asked}
    reference = decoder.reference or Stepwise()
    return Plan(config, settings, special, decoder, reference, runtime, task, documents, examples)


def build_decoder(values: Mapping[str, Any]) -> Decoder:
    """The decoder of a resolved `decoder` group."""
    described = ("name", "lossless")
    return _build("decoder", Decoder, {key: value for key, value in values.items() if key not in described})


def _check_model(model: dict[str, Any]) -> SpecialTokens:
    """The model's special tokens, after a look at the rest of its group."""
    require_text("model.path", model["path"])
    if type(model["context_length"]) is not int or model["context_length"] < 1:
        raise ValueError(f"model.context_length={model['context_length']}: expected a whole number of at least 1")
    ids = [model["mask_id"], *(model["end_ids"] if isinstance(model["end_ids"], list) else [None])]
    if any(type(token) is not int for token in ids):
        raise ValueError(
            f"model.mask_id={model['mask_id']}, model.end_ids={model['end_ids']}: expected an id and a list of ids"
        )
    return SpecialTokens(ids[0], tuple(ids[1:]))


def require_bool(key: str, value: object) -> None:
    """Refuse what YAML takes for text: `no`, `yes` and `off` are words to Hydra, and true if asked."""
    if type(value) is not bool:
        raise ValueError(f"{key}={value}: expected true or false")


def require_text(key: str, value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key}={value}: expected a path or a name")


def _build(group: str, base: type[Built], values: dict[str, Any]) -> Built:
    """The object whose class `_target_` names; what its constructor refuses is raised as it is."""
    from hydra.utils import get_class

    require_text(f"{group}._target_", values.get("_target_"))
    try:
        kind = get_class(values["_target_"])
    except (ImportError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(
            f"{group}._target_={values['_target_']}: no such class ({reason}); mend conf/{group}/"
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, base)):
        raise ValueError(f"{group}._target_={values['_target_']}: expected a subclass of {base.__name__}")
    options = {key: value for key, value in values.items() if key != "_target_"}
    return kind(**_known(kind, group, options))


def _known(kind: type, group: str, values: dict[str, Any]) -> dict[str, Any]:
    names = inspect.signature(kind).parameters
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ValueError(f"{group}.{unknown[0]} is not an option; expected one of {', '.join(names) or '(none)'}")
    return values
