"""Words of a command line that name a model: `model=FOLDER`, and ids that YAML would read as numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from ssd.config.family_presets import family_preset, own_blocks
from ssd.config.validate import TEXTS
from ssd.config.words import config_folders
from ssd.paths import CONF

_LIKE_A_NUMBER = re.compile(r"[+-]?(\.?\d[\w.]*(e[+-]\d+)?|inf|nan)", re.IGNORECASE)


def plain_words(words: Sequence[str]) -> list[str]:
    """Return the words with numbers quoted where text belongs, and with `model=FOLDER` as words that Hydra reads.

    Raises ValueError or OSError in one line for a folder whose model cannot be read.
    """
    return [_quoted_numbers(each) for word in words for each in _model_words(word, words)]


def _quoted_numbers(word: str) -> str:
    """Return an option of text with quotes around numbers: `model.revision=12e4` is no number."""
    key, equals, value = word.partition("=")
    if not equals or key.lstrip("+") not in TEXTS:
        return word
    parts = [f'"{part}"' if _LIKE_A_NUMBER.fullmatch(part) else part for part in value.split(",")]
    return f"{key}={','.join(parts)}"


def _model_words(word: str, words: Sequence[str]) -> list[str]:
    """Return `model=FOLDER` as a preset with the folder's path, name and ids; other words as they are."""
    key, _, value = word.partition("=")
    value = value.strip("'\"")
    if key != "model" or not value or _is_preset(value, words):
        return [word]
    from ssd.modeling.checkpoint import local_folder  # torch takes a second

    folder = local_folder(value)
    if folder is None or not (folder / "config.json").is_file():
        return [word]  # Hydra's error lists the presets
    given = {each.partition("=")[0].lstrip("+") for each in words} - {"model"}
    return [each for each in _words_for(folder) if each.partition("=")[0] not in given]


def _words_for(folder: Path) -> Iterator[str]:
    """Yield the preset whose checkpoint this is; without one the family's own, with what the folder has otherwise."""
    from ssd.config.special_ids import special_of
    from ssd.modeling.checkpoint import local_folder, read_config

    files = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in _presets()}
    for name, values in files.items():
        shipped = local_folder(values["model"]["path"])
        if shipped and shipped.samefile(folder):
            yield f"model={name}"
            return
    config = read_config(folder)
    family = family_preset(config.family)
    preset, special = files[family]["model"], special_of(folder, config)
    yield f"model={family}"
    for key, value in own_blocks(config, files[family].get("generation", {})).items():
        yield f"generation.{key}={'null' if value is None else value}"
    yield f"model.path={quoted(str(folder.absolute()))}"
    yield f"model.name={quoted(folder.absolute().name)}"
    yield "model.revision=null"
    if preset["mask_id"] != special.mask_id or preset["end_ids"][0] not in config.end_ids:
        yield f"model.mask_id={special.mask_id}"
        yield f"model.end_ids=[{','.join(map(str, special.end_ids))}]"


def _is_preset(value: str, words: Sequence[str]) -> bool:
    names = value.split(",")
    return any(
        (folder / "model" / f"{name}.yaml").is_file() for folder in [*config_folders(words), CONF] for name in names
    )


def _presets() -> list[Path]:
    return sorted((CONF / "model").glob("*.yaml"))


def quoted(text: str) -> str:
    """Return a text as Hydra's grammar quotes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
