"""The text of `ssd-bench run --help`: groups, choices, and every option with its comment in the YAML files."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ssd.config.words import config_folders
from ssd.paths import CONF, RUN

GROUPS = {
    "decoder": "the decoder that is measured",
    "decoder/commit": "the commit rule of fast_dllm, psd and freedave; without one, their own options choose it",
    "model": "the model and its tokenizer",
    "task": "the prompts and the scoring",
    "generation": "how responses are generated; model, task and preset set some of these options",
    "runtime": "number of prompts, device, arithmetic",
    "tracker": "where finished runs are logged",
}
CHOICES_ONLY = {
    "preset": "settings of a model's authors for a task; chosen by model and task, ~preset leaves it out",
    "cache": "published settings of a cache, as cache=dkv_llada; generation.cache=NAME has the defaults",
    "experiment": "settings or grids of papers, as experiment=ssd_paper",
    "hydra/launcher": "where the runs of a grid are made",
}
NOT_SET = {"_target_", "name", "lossless", "defaults", "hydra"}
"""Keys that are no options, unless a comment describes them."""
LINE = re.compile(r"(?P<indent> *)(?P<key>[a-z]\w*): *(?P<value>[^#]*?)(?: *# (?P<comment>.*))?")
WIDTH, COLUMN = 120, 40
PROGRAM = RUN.removesuffix(" run")


class Option(NamedTuple):
    """One line of a YAML file."""

    name: str
    value: str
    comment: str


def describe(words: Sequence[str]) -> str:
    """Return the help. words: of the command line; `decoder=apd` shows the options of that file only."""
    folders = [*config_folders(words), CONF]
    chosen = dict(word.split("=", 1) for word in words if "=" in word)
    parts = [_usage(), "groups and their choices (the first is the default):"]
    parts += [_choices(folders, group, about) for group, about in (GROUPS | CHOICES_ONLY).items()]
    parts.append("\noptions and their defaults:")
    parts += [_line(option) for option in _options(CONF / "config.yaml", "")]
    for group in GROUPS:
        shown: set[Option] = set()
        names = _names(folders, group)
        for name in [chosen[group]] if chosen.get(group) in names else names:
            file, prefix = _file(folders, group, name), group.replace("/", ".")
            own = {option._replace(value=""): option for option in _options(file, prefix)}
            if own:
                parts += [f"\n{group}={name}", *(_line(option) for known, option in own.items() if known not in shown)]
            parts += _as_above(own[known] for known in own if known in shown)
            shown |= own.keys()
    return "\n".join(parts)


def _usage() -> str:
    return f"""usage: {RUN} [-m] [GROUP=CHOICE ...] [OPTION=VALUE ...]

Measure a decoder beside stepwise decoding. Results are in ./results; the same line again resumes a run.

  -m           a grid: every combination of values with commas, as decoder.depth=4,8
  --version    the version of this package
  --cfg job    print the configuration instead of measuring
  --config-dir FOLDER, hydra.searchpath=[file://FOLDER]
               a folder with your own decoder/NAME.yaml, task/NAME.yaml and so on
  --help GROUP=CHOICE   the options of one choice
  -sc install=bash      print the script for tab completion: eval "$({PROGRAM} -sc install=bash)"

examples:
  {RUN} decoder=ssd model=llada_tiny task=tiny_math runtime.limit=5
  {RUN} -m decoder=ssd decoder.depth=4,8,16 model=llada task=gsm8k
  {RUN} experiment=ssd_paper model=llada task=gsm8k runtime.device=cuda
"""


def _names(folders: Sequence[Path], group: str) -> list[str]:
    """Return the choices of a group, the default first."""
    names = sorted({file.stem for folder in folders for file in (folder / group).glob("*.yaml")})
    default = re.search(rf"^  - {group}: (\w+)", (CONF / "config.yaml").read_text(), re.MULTILINE)
    return sorted(names, key=lambda name: default is None or name != default[1])


def _file(folders: Sequence[Path], group: str, name: str) -> Path:
    files = [folder / group / f"{name}.yaml" for folder in folders]
    return next(file for file in files if file.is_file())


def _choices(folders: Sequence[Path], group: str, about: str) -> str:
    text = textwrap.fill(", ".join(_names(folders, group)), WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 4)
    return f"  {group}: {about}\n{text}"


def _options(file: Path, group: str) -> Iterator[Option]:
    """Yield the options of a file. A file of `@package _global_` has its own group's as one section of several."""
    text = file.read_text()
    is_global = "@package _global_" in text
    section, option = "", None
    for line in text.splitlines():
        found = LINE.fullmatch(line)
        if found is None:
            if option and line.startswith(" ") and line.strip().startswith("# "):  # its comment goes on
                option = option._replace(comment=f"{option.comment} {line.strip().removeprefix('# ')}")
            continue
        if option:
            yield option
        option = None
        if not found["indent"]:
            section = found["key"]
        is_inside = bool(found["indent"])
        is_own = section == group and is_inside if is_global else group or not is_inside
        if is_own and (found["key"] not in NOT_SET or (found["comment"] and found["key"] == "name")):
            parts = (group, section if is_inside and not is_global else "", found["key"])
            name = ".".join(part for part in parts if part)
            option = Option(name, found["value"], found["comment"] or "")
    if option:
        yield option


def _as_above(options: Iterable[Option]) -> list[str]:
    """Return the lines of options that a choice above has with the same comments; [] without any."""
    text = ", ".join(f"{option.name}={option.value}" for option in options)
    return [textwrap.fill(f"as above: {text}", WIDTH, initial_indent="  ", subsequent_indent="    ")] if text else []


def _line(option: Option) -> str:
    head = f"  {option.name}={option.value}"
    if not option.comment:
        return head
    indent = " " * (COLUMN + 2)
    text = textwrap.fill(option.comment, WIDTH, initial_indent=indent, subsequent_indent=indent)
    return f"{head:<{COLUMN}}  {text.lstrip()}" if len(head) <= COLUMN else f"{head}\n{text}"
