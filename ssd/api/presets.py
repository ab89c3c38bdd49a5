"""Presets of models and decoders, read from conf/ without Hydra."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from ssd.config.build import build
from ssd.config.runtime import Runtime
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.decoder import Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.paths import CONF, choices

TINY_PREFIX, TINY_GEN_LENGTH = "checkpoints/", 64
"""Where the models made for tests lie, and the response length in tokens that they were trained with."""
DESCRIBED = ("name", "lossless", "defaults")
"""Keys of a decoder's YAML that are no options."""


@dataclass(frozen=True)
class Preset:
    """A file of conf/model/. dtype: torch's name of it; chat: whether prompts go through the chat template."""

    name: str
    path: str
    revision: str | None
    special: SpecialTokens
    context_length: int
    verifier: str | None
    dtype: str
    chat: bool
    settings: GenerationSettings


def find_preset(name: str) -> Preset | None:
    """Return the preset with this name, or whose checkpoint has this path or Hub id; None if there is none."""
    names = choices("model")
    if name in names:
        return read_preset(name)
    return next((preset for preset in map(read_preset, names) if preset.path == name), None)


@cache
def read_preset(name: str) -> Preset:
    """Return the preset of conf/model/NAME.yaml."""
    values = _read(f"model/{name}")
    model, task = values["model"], values.get("task", {})
    generation = {**_read("generation/default"), **values.get("generation", {})}
    if model["path"].startswith(TINY_PREFIX):
        generation["gen_length"] = TINY_GEN_LENGTH
    return Preset(
        name=name,
        path=model["path"],
        revision=model["revision"],
        special=SpecialTokens(model["mask_id"], tuple(model["end_ids"])),
        context_length=model["context_length"],
        verifier=model["verifier"],
        dtype=values["runtime"]["dtype"],
        chat=task.get("chat", True),
        settings=GenerationSettings(**generation),
    )


def default_runtime() -> Runtime:
    """Return the `runtime` group as conf/runtime/default.yaml sets it."""
    return Runtime(**_read("runtime/default"))


def build_decoder(name: str, model: Mapping[str, str | None]) -> Decoder:
    """Return the decoder of conf/decoder/NAME.yaml with its default options.

    model: the values of the options that refer to the model, such as `${model.path}`.
    Raises ValueError for an unknown name.
    """
    if name not in choices("decoder"):
        raise ValueError(f"decoder={name!r}: expected a decoder object or one of {', '.join(choices('decoder'))}")
    values = _read(f"decoder/{name}")
    options = {key: _resolved(value, model) for key, value in values.items() if key not in DESCRIBED}
    for part in values.get("defaults", []):
        if part != "_self_" and isinstance(part, str):  # commit/NAME, the decoder's commit rule
            options["commit"] = build("decoder.commit", CommitRule, _read(f"decoder/{part}"))
    decoder: Decoder = build("decoder", Decoder, options)
    decoder.config_name = name
    return decoder


def changed(settings: GenerationSettings, changes: Mapping[str, Any]) -> GenerationSettings:
    """Return the settings with some of them replaced.

    A block is never longer than the response, unless `changes` has a block_length of its own, or the model has one.
    Raises ValueError in one line for unknown names and wrong values.
    """
    if not isinstance(settings, GenerationSettings):
        raise ValueError(f"settings={settings!r}: expected None or settings, as ssd.GenerationSettings(gen_length=64)")
    names = list(inspect.signature(GenerationSettings).parameters)
    unknown = sorted(set(changes) - set(names))
    if unknown:
        raise ValueError(f"{unknown[0]} is not a setting; expected one of {', '.join(names)}")
    values = {name: getattr(settings, name) for name in names} | dict(changes)
    length = values["gen_length"]
    may_shrink = "block_length" not in changes and values["grid"] == "prompt"
    if may_shrink and isinstance(length, int) and 0 < length < values["block_length"]:
        values["block_length"] = length
    return GenerationSettings(**values)


def _resolved(value: object, model: Mapping[str, str | None]) -> object:
    """Return an option with `${model.KEY}` replaced; None where that is the whole text and the model has none."""
    if not isinstance(value, str):
        return value
    whole = re.fullmatch(r"\$\{model\.(\w+)\}", value)
    if whole:
        return model[whole[1]]
    return re.sub(r"\$\{model\.(\w+)\}", lambda found: str(model[found[1]]), value)


def _read(name: str) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))
    return values
