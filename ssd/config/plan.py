"""From a composed configuration to checked objects. No weights are loaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, MissingMandatoryValue, OmegaConf

from baselines.stepwise import Stepwise
from ssd.config.build import build, known, naming_files
from ssd.config.runtime import Runtime
from ssd.config.source import classes_of, source_of
from ssd.config.tracker import Tracker
from ssd.config.validate import TEXTS, as_text, require_bool, require_text
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.cache_options import CacheOptions
from ssd.decoding.cache_policy import POLICIES, plain_caches
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.decoder import Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.checkpoint import local_folder
from ssd.modeling.fingerprint import fingerprint
from ssd.paths import CONF, ROOT, choices
from ssd.tasks.task import Document, Task, require_flag

KEYS = ("model", "decoder", "task", "generation", "runtime", "tracker", "results_dir", "overwrite", "repair")
"""Top-level keys of a composed configuration."""
SOURCE = "source_sha256"
"""Key of the groups `decoder` and `task` that identifies their source, so that the run id depends on it."""


@dataclass(frozen=True)
class Plan:
    """Everything that a run needs, except the weights."""

    config: dict[str, Any]
    settings: GenerationSettings
    special: SpecialTokens
    decoder: Decoder
    reference: BlockDecoder
    runtime: Runtime
    task: Task
    tracker: Tracker | None
    documents: list[Document]
    examples: list[Document]

    @property
    def predicts(self) -> bool:
        """Whether the time of responses is predicted, from the measured time of plain windows."""
        return self.runtime.predicts and POLICIES[self.settings.cache].has_plain_windows

    @property
    def results_dir(self) -> Path:
        return Path(self.config["results_dir"]).expanduser()


def make_plan(composed: DictConfig, is_here: bool = True) -> Plan:
    """Return the checked plan. Raises ValueError, FileNotFoundError or ConnectionError with one line for the user.

    is_here: whether this machine makes the run. Another machine has its own devices, so `auto` stays `auto`.
    """
    try:
        config = cast(dict[str, Any], OmegaConf.to_container(composed, resolve=True, throw_on_missing=True))
    except MissingMandatoryValue as error:
        raise ValueError(f"{error.full_key} is missing; pass {error.full_key}=VALUE") from error
    unknown = sorted(set(config) - set(KEYS))
    if unknown:
        raise ValueError(f"{unknown[0]} is not an option; expected one of {', '.join(KEYS)}, as runtime.limit=3")
    for key in TEXTS:
        group, _, name = key.rpartition(".")
        values = config[group] if group else config
        if name in values:
            values[name] = as_text(key, values[name])
    for key in ("overwrite", "repair"):
        require_bool(key, config[key])
    require_bool("decoder.lossless", config["decoder"].get("lossless"))
    for group in ("decoder", "model", "task"):
        require_text(f"{group}.name", config[group].get("name"))
    require_text("results_dir", config["results_dir"])
    settings = GenerationSettings(**known(GenerationSettings, "generation", config["generation"]))
    runtime = Runtime(**known(Runtime, "runtime", config["runtime"]))
    # A result depends on the device that `auto` stands for, so the run id contains that device.
    config["runtime"]["device"] = runtime.device_here() if is_here else runtime.device.removesuffix(":0")
    if settings.steps == settings.most_steps:  # the meaning of null
        config["generation"]["steps"] = None
    # Options at their defaults and no options are one run. Runs without options keep the ids of before there were any.
    config["generation"].pop("cache_options", None)
    if isinstance(settings.cache_options, CacheOptions):
        config["generation"]["cache_options"] = asdict(settings.cache_options)
    if runtime.repeats > 1 and not settings.is_random:
        raise ValueError(
            f"runtime.repeats={runtime.repeats}: every response to a prompt would be the same; pass "
            "generation.temperature=0.8 or so, or runtime.repeats=1"
        )
    if runtime.reference == "chain" and settings.cache == "none":  # the reference is the chain's beginning itself
        runtime = replace(runtime, reference="stepwise")
        config["runtime"]["reference"] = runtime.reference
    special = _check_model(config["model"])
    config["model"]["path"] = common_path(config["model"]["path"])
    _check_name(config["decoder"])
    decoder = build_decoder(config["decoder"])
    config["decoder"] |= {key: value for key, value in decoder.resolved().items() if key in config["decoder"]}
    if decoder.needs_timing and not runtime.timing:  # other processes may use the cores meanwhile
        raise ValueError(
            "decoder.depth=auto decides by measured costs: with runtime.timing=false pass decoder.costs=[[1,1],[8,1.3]]"
        )
    _check_lookahead(decoder, settings, runtime)
    _check_cache(settings, runtime)
    decoder.check_cache(settings)
    tracker = _tracker(config["tracker"])
    task: Task = build("task", Task, {key: value for key, value in config["task"].items() if key != "add_bos"})
    task.add_bos = require_flag("task.add_bos", config["task"].get("add_bos", task.add_bos))
    config["decoder"][SOURCE] = source_of(*classes_of(decoder))
    if not type(task).__module__.startswith("ssd."):  # our own tasks have versions
        config["task"][SOURCE] = source_of(type(task))
    prints = [fingerprint(path) for path in (*decoder.files(), *settings.files())]
    if prints:  # a result depends on a file's contents, not on its path
        config["decoder"]["fingerprints"] = prints
    with naming_files("task", config["task"]):
        documents = task.documents(runtime.limit)
        examples = task.fewshot(task.num_fewshot) if task.num_fewshot else []
    # The run id depends on the prompts themselves, not only on the name of their file.
    asked = hashlib.sha256(repr((examples, documents)).encode()).hexdigest()
    config["task"] |= {"version": task.version, "sha256": asked}
    reference = decoder.reference or Stepwise()
    if runtime.confidences:  # on both sides, because rows of more logits may round otherwise
        decoder.keep_confidences()
        reference.keep_confidences()
    return Plan(config, settings, special, decoder, reference, runtime, task, tracker, documents, examples)


def _check_name(decoder: Mapping[str, Any]) -> None:
    """Raise ValueError for the name of a commit rule on a decoder without one, as after ~decoder.commit."""
    name = decoder["name"]
    if decoder.get("commit") is None and name in choices("decoder/commit"):
        raise ValueError(
            f"decoder.name={name}: this decoder is its commit rule, and decoder.commit is missing; leave it "
            "as it is, or pass decoder=fast_dllm, which decodes without it"
        )


def _check_lookahead(decoder: Decoder, settings: GenerationSettings, runtime: Runtime) -> None:
    """Raise ValueError for drafts across blocks under a lock: they make forwards of another shape."""
    if decoder.lookahead(settings) and settings.grid == "absolute" and runtime.numerics == "locked":
        raise ValueError(
            "runtime.numerics=locked: drafts in later blocks make forwards of another shape than the reference's; pass "
            f"runtime.numerics=native or float64, or {decoder.within_block}"
        )


def _check_cache(settings: GenerationSettings, runtime: Runtime) -> None:
    """Raise ValueError for arithmetic or shared forwards that the cache does not allow."""
    policy = POLICIES[settings.cache]
    for name, value, plain in (("engine", runtime.engine, "eager"), ("numerics", runtime.numerics, "native")):
        if value in ("graph", "compile", "locked") and not policy.has_plain_windows:
            raise ValueError(
                f"runtime.{name}={value} with generation.cache={settings.cache}: the cache's forwards have no fixed "
                f"shape; pass runtime.{name}={plain}, or generation.cache={' or '.join(plain_caches(settings.grid))}"
            )
    if runtime.batch_size > 1 and not policy.shares_forwards:
        raise ValueError(
            f"runtime.batch_size={runtime.batch_size} with generation.cache={settings.cache}: responses do not share "
            "the forwards of this cache; pass runtime.batch_size=1"
        )


def common_path(path: str) -> str:
    """Return a folder's one spelling: relative to the project if inside it. Other text is returned unchanged."""
    folder = local_folder(path)
    if folder is None:
        return path
    whole = Path(os.path.abspath(folder))
    inside = str(whole.relative_to(ROOT)) if whole.is_relative_to(ROOT) else None
    return inside if inside and os.path.samefile(local_folder(inside) or whole, whole) else str(whole)


def build_decoder(values: Mapping[str, Any]) -> Decoder:
    """Return the decoder of a resolved `decoder` group, with the commit rule of its group `commit`, if it has one."""
    options = {key: value for key, value in values.items() if key not in ("name", "lossless", SOURCE)}
    if isinstance(options.get("commit"), Mapping):
        options["commit"] = build("decoder.commit", CommitRule, dict(options["commit"]))
    decoder: Decoder = build("decoder", Decoder, options)
    decoder.config_name = _config_name(values)
    return decoder


def _config_name(values: Mapping[str, Any]) -> str | None:
    """Return the decoder's name; None if the file of that name has another class, as after decoder._target_=CLASS."""
    name = values.get("name")
    if name in choices("decoder"):
        file = cast(DictConfig, OmegaConf.load(CONF / "decoder" / f"{name}.yaml"))
        return name if file["_target_"] == values["_target_"] else None
    return name


def _tracker(values: Mapping[str, Any]) -> Tracker | None:
    """Return the tracker of the finished run; None for a group that names no class."""
    if "_target_" not in values:
        return None
    tracker: Tracker = build("tracker", Tracker, {key: value for key, value in values.items() if key != "name"})
    return tracker


def _check_model(model: dict[str, Any]) -> SpecialTokens:
    """Check the `model` group and return its special tokens."""
    require_text("model.path", model["path"])
    if model["revision"] is not None:
        require_text("model.revision", model["revision"])
    if type(model["context_length"]) is not int or model["context_length"] < 1:
        raise ValueError(f"model.context_length={model['context_length']}: expected a whole number of at least 1")
    ids = [model["mask_id"], *(model["end_ids"] if isinstance(model["end_ids"], list) else [None])]
    if any(type(token) is not int for token in ids):
        raise ValueError(
            f"model.mask_id={model['mask_id']}, model.end_ids={model['end_ids']}: expected an id and a list of ids"
        )
    return SpecialTokens(ids[0], tuple(ids[1:]))
