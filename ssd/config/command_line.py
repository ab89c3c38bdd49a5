"""What Hydra finds wrong with a command line, in one line, with the nearest names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf

MOST_NAMES = 3
LEAST_ALIKE = 0.7
DESCRIBED = ("_target_", "name", "lossless")
"""What a group says of itself; no option."""


def one_line(error: BaseException) -> str:
    """The message of an error of Hydra's: what is known to be a slip in our words, all else as it is in one line."""
    if isinstance(error, MissingConfigException) and error.options:
        group, _, name = str(error.missing_cfg_file).rpartition("/")
        return f"{group}={name}: expected one of {', '.join(error.options)}"
    several = re.match(r"Ambiguous value for argument '([^']+)'", str(error))
    if several:
        return f"{several[1]}: several values make a grid; add -m: python run.py -m {several[1]} ..."
    option = culprit(error)
    if option:
        return f"{option} is not an option"
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())


def culprit(error: BaseException) -> str | None:
    """The option that a command line names and the configuration does not have."""
    found = re.match(r"Could not override '([^']+)'", str(error))
    return found[1] if found else None


def explain(error: HydraException, words: Sequence[str], folder: Path) -> str:
    """The error in one line. words: of the command line; folder: of the configuration, absolute."""
    option = culprit(error)
    if option is None:
        return one_line(error)
    names = options(words, folder)
    if "." not in option:  # a group, then
        names += [*dict.fromkeys(name.partition(".")[0] for name in names if "." in name), "experiment"]
    near, prefix = nearest(option, names), option[: option.rfind(".") + 1]
    there = dict.fromkeys(name.removeprefix(prefix).partition(".")[0] for name in names if name.startswith(prefix))
    shown = ", ".join(name for name in there if name not in DESCRIBED)
    return f"{one_line(error)}; " + (f"did you mean {' or '.join(near)}?" if near else f"expected one of {shown}")


def nearest(option: str, names: Sequence[str]) -> list[str]:
    """Names with the same last part in any group, else those in its own group that are spelled alike."""
    group, _, leaf = option.rpartition(".")
    same = [name for name in names if name.rpartition(".")[2] == leaf]
    siblings = [name for name in names if name.rpartition(".")[0] == group]
    spelled = [name.rpartition(".")[2] for name in siblings]
    leaves = difflib.get_close_matches(leaf, spelled, MOST_NAMES, LEAST_ALIKE)
    return same[:MOST_NAMES] or [name for name in siblings if name.rpartition(".")[2] in leaves]


def options(words: Sequence[str], folder: Path) -> list[str]:
    """Every option of the configuration with those words that choose one file of a group."""
    choices = [word for word in words if (folder / word.replace("=", "/")).with_suffix(".yaml").is_file()]
    with initialize_config_dir(str(folder), version_base="1.3"):
        composed = OmegaConf.to_container(compose("config", overrides=choices))
    return list(_keys(composed))


def _keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
