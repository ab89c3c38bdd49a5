"""Errors about the words of a command line, in one line, with the nearest names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf

from ssd.config.model_words import plain_words, quoted
from ssd.config.words import OPTIONS, config_folders
from ssd.decoding.cache_options import OPTIONS as CACHES
from ssd.paths import CONF, RUN

MOST_NAMES = 3
LEAST_ALIKE, LEAST_ALIKE_CHOICE = 0.7, 0.6
DESCRIBED = ("_target_", "name", "lossless")
"""Keys that describe a choice; they are no options."""
FLAGS = ("-m", "--multirun", "-r", "--run", "-h", "--help", "--hydra-help", "--version", "--resolve")
FLAGS_WITH_VALUE = (
    *OPTIONS, "-c", "--cfg", "-p", "--package", "-cp", "--config-path", "-cn", "--config-name", "-i", "--info", "-sc",
    "--shell-completion", "--experimental-rerun",
)  # fmt: skip
"""Hydra's own flags."""


NEEDED = ("model", "task", "generation", "runtime", "tracker")
"""Groups of which no option can be left out."""


def composed(words: Sequence[str]) -> DictConfig:
    """Return the configuration of a single run. Raises ValueError, in one line, for words that run.py would refuse."""
    words = plain_words(words)
    check_words(words)
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return compose("config", overrides=words)
    except HydraException as error:
        raise ValueError(explain(error, words)) from error


def check_words(words: Sequence[str]) -> None:
    """Raise ValueError for a word that is neither NAME=VALUE nor a flag, with the word that was perhaps meant."""
    for word, before, after in zip(words, ["", *words[:-1]], [*words[1:], ""], strict=True):
        flag, _, value = word.partition("=")
        if word.startswith("~"):
            _check_left_out(flag[1:])
            continue
        if flag in (*FLAGS, *FLAGS_WITH_VALUE) or before in FLAGS_WITH_VALUE:
            continue
        name = flag.lstrip("-")
        following = "VALUE" if not after or "=" in after or after.startswith("-") else after
        if word.startswith("-"):
            raise ValueError(f"{word}: options have no dashes; type {name}={value or following}")
        if "=" not in word:
            groups = [file.parent.name for file in sorted(CONF.glob(f"*/{name}.yaml"))]
            meant = f"{groups[0]}={name}" if groups else f"{name}={following}"
            raise ValueError(f"{word}: an option looks like NAME=VALUE; type {meant}")


def _check_left_out(name: str) -> None:
    """Raise ValueError for a group that every run needs, or one of its options. A decoder's have defaults."""
    group, _, option = name.partition(".")
    if group in NEEDED or (group == "decoder" and not option):
        raise ValueError(f"~{name}: every run needs {name}; leave this word out")


def one_line(error: BaseException) -> str:
    """Return Hydra's error in one line: frequent mistakes in our words, all others in Hydra's."""
    if isinstance(error, MissingConfigException) and error.options:
        file = str(error.missing_cfg_file)
        model = file.removeprefix("model/")
        if model != file and "/" in model:
            return (
                f"model={model}: neither a preset nor one checkpoint's folder; for a checkpoint of the Hub, or for "
                f"several folders, pass model=llada (dream, sdar_4b, fast_dllm_v2_7b) model.path={model}"
            )
        group, _, name = file.rpartition("/")
        if group == "cache" and name in CACHES:
            return f"cache={name}: a group of published settings; for the cache itself pass generation.cache={name}"
        near = difflib.get_close_matches(name, error.options, MOST_NAMES, LEAST_ALIKE_CHOICE)
        question = f"; did you mean {' or '.join(near)}?" if near else ""
        return f"{group}={name}: expected one of {', '.join(error.options)}{question}"
    several = re.match(r"Ambiguous value for argument '([^']+)'", str(error))
    if several:
        return f"{several[1]}: several values make a grid; add -m: {RUN} -m {several[1]} ..."
    option = culprit(error)
    if option:
        return f"{option} is not an option"
    if isinstance(error, OverrideParseException) and "=" in error.override:
        key, _, value = error.override.partition("=")
        if "'" not in value and '"' not in value:
            return f"{error.override}: a value with =, brackets or alike needs quotes, as '{key}=\"{value}\"'"
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())


def culprit(error: BaseException) -> str | None:
    """Return the option of a command line that the configuration does not have."""
    found = re.match(r"Could not override '([^']+)'", str(error))
    return found[1] if found else None


def explain(error: HydraException, words: Sequence[str]) -> str:
    """Return the error in one line. words: of the command line."""
    option = culprit(error)
    if option is None:
        return one_line(error)
    if "/" in option:  # a group of one decoder, as decoder/commit
        group, _, name = option.partition("/")
        having = [file.stem for file in sorted(CONF.glob(f"{group}/*.yaml")) if f"\n{name}: null" in file.read_text()]
        word = next((word for word in words if word.startswith(f"{option}=")), option)
        return f"{word}: expected one of {group}={', '.join(having)}, which have this choice"
    names = options(words)
    if "." not in option:  # it names a group
        names += [*dict.fromkeys(name.partition(".")[0] for name in names if "." in name), "experiment"]
    near, prefix = nearest(option, names), option[: option.rfind(".") + 1]
    while not any(name.startswith(prefix) for name in names):  # the decoder has no such group of options
        prefix = prefix[: prefix.rfind(".", 0, -1) + 1]
    there = dict.fromkeys(name.removeprefix(prefix).partition(".")[0] for name in names if name.startswith(prefix))
    shown = ", ".join(name for name in there if name not in DESCRIBED)
    expected = f"expected one of {shown}" if shown else f"this {prefix.rstrip('.')} has no options"
    return f"{one_line(error)}; " + (f"did you mean {' or '.join(near)}?" if near else expected)


def nearest(option: str, names: Sequence[str]) -> list[str]:
    """Return names with the same last part in any group, else similar names of its own group."""
    group, _, leaf = option.rpartition(".")
    same = [name for name in names if name.rpartition(".")[2] == leaf]
    siblings = [name for name in names if name.rpartition(".")[0] == group]
    spelled = [name.rpartition(".")[2] for name in siblings]
    leaves = difflib.get_close_matches(leaf, spelled, MOST_NAMES, LEAST_ALIKE)
    return same[:MOST_NAMES] or [name for name in siblings if name.rpartition(".")[2] in leaves]


def options(words: Sequence[str]) -> list[str]:
    """Return every option of the configuration, after the words that choose a file of a group."""
    folders = [*config_folders(words), CONF]
    files = {word: word.replace("=", "/") + ".yaml" for word in words if not word.startswith("-")}
    kept = [word for word, file in files.items() if any((folder / file).is_file() for folder in folders)]
    own = ",".join(quoted(f"file://{folder}") for folder in folders[:-1])
    searched = [f"hydra.searchpath=[{own}]"] if own else []
    in_grid = GlobalHydra.instance().is_initialized()
    with nullcontext() if in_grid else initialize_config_dir(str(CONF), version_base="1.3"):
        composed = OmegaConf.to_container(compose("config", overrides=[*searched, *kept]))
    return list(_keys(cast(dict[str, Any], composed)))


def _keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
