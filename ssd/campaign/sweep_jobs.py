"""From the words of a sweep to the configurations of its runs, before any run starts."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import filter_overrides
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ssd.config.command_line import FLAGS_WITH_VALUE, culprit, explain, one_line
from ssd.config.words import config_folders
from ssd.paths import CONF

Words = list[str]
task_words: Words = []
"""Words of this process's grid in the line's order, without Hydra's own: the callback makes the jobs from them."""


def hold_back(words: Sequence[str]) -> Words:
    """Return the words of a grid without those held back: one value for options of a group with several choices.

    Hydra composes a grid first with the default choice of such a group, which may lack the option. Several
    experiments choose in every group. Raises HydraException for a word that it cannot read.
    """
    parser = OverridesParser.create()
    given = parser.parse_overrides(list(_without_flags(words)))
    several = [_dotted(each) for each in (*given, *_of_experiment(words, parser)) if each.is_sweep_override()]
    groups = tuple(f"{name}." for name in several)
    own = [each for each in given if not each.is_hydra_override()]
    single = {each.input_line: _dotted(each) for each in own if not each.is_sweep_override()}
    held_back = {
        word for word, name in single.items() if name.startswith(groups) or ("experiment" in several and "." in name)
    }
    task_words[:] = [str(each.input_line) for each in own]
    return [word for word in words if word not in held_back]


def _without_flags(words: Sequence[str]) -> Iterator[str]:
    """Yield the words that are neither flags nor a flag's value."""
    for before, word in itertools.pairwise(["", *words]):
        if not word.startswith("-") and before not in FLAGS_WITH_VALUE:
            yield word


def _of_experiment(words: Sequence[str], parser: OverridesParser) -> list[Override]:
    """Return the words of the grid that the experiment has, if the line chooses one."""
    names = [word.removeprefix("experiment=") for word in words if word.startswith("experiment=")]
    files = (folder / "experiment" / f"{name}.yaml" for name in names for folder in (CONF, *config_folders(words)))
    file = next((file for file in files if file.is_file()), None)
    params = OmegaConf.select(OmegaConf.load(file), "hydra.sweeper.params") if file else None
    return parser.parse_overrides([f"{key}={value}" for key, value in (params or {}).items()])


def _dotted(override: Override) -> str:
    """Return the group or the option of a word, as `decoder.commit` of `+decoder/commit=eb`."""
    return override.key_or_group.replace("/", ".")


def jobs_of(config: DictConfig) -> list[Words]:
    """Return the words of every job, in the order of Hydra's basic sweeper. Raises ValueError for other sweeps."""
    sweeper = config.hydra.sweeper
    if not sweeper._target_.endswith(".BasicSweeper"):
        raise ValueError(f"hydra/sweeper={sweeper._target_}: expected basic, because a grid runs all combinations")
    presets = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    try:
        overrides = parser.parse_overrides([*presets, *config.hydra.overrides.task])
    except HydraException as error:
        raise ValueError(one_line(error)) from error
    choices = {override.get_key_element(): _choices(override) for override in overrides}  # a key's last word wins
    return [list(words) for words in itertools.product(*choices.values())]


def _choices(override: Override) -> Words:
    """Return one word for each value of an override."""
    key = override.get_key_element()
    if not override.is_sweep_override():
        return [f"{key}={override.get_value_element_as_str()}"]
    if not override.is_discrete_sweep():
        raise ValueError(f"{override.input_line}: a grid takes values with commas, or range(...), not intervals")
    return [f"{key}={value}" for value in override.sweep_string_iterator()]


def compose_jobs(config: DictConfig, jobs: Sequence[Words]) -> list[DictConfig]:
    """Return each job's configuration without Hydra's own part. Raises ValueError if one does not compose."""
    loader = GlobalHydra.instance().config_loader()
    composed: list[DictConfig] = []
    broken: list[tuple[Words, Exception]] = []
    for words in jobs:
        try:
            composed.append(without_hydra(loader.load_sweep_config(config, list(words))))
        except (HydraException, OmegaConfBaseException) as refused:
            broken.append((words, refused))
    if broken:
        words, error = broken[0]
        sources = [each for each in config.hydra.runtime.config_sources if each.schema == "file"]
        folders = [f"--config-dir={each.path}" for each in sources if each.provider != "main"]
        line, option = explain(error, [*filter_overrides(words), *folders]), culprit(error)
        raise ValueError(
            f"{len(broken)} of {len(jobs)} runs do not compose, as {' '.join(_concerned(words, option))} ({line}); "
            f"nothing was started. {_remedy(jobs, [words for words, _ in broken], option)}"
        )
    return composed


def _concerned(words: Words, option: str | None) -> Words:
    """Return the words of a job that set an option or choose its groups; all words without an option."""
    whole = f"{option}.".replace("/", ".")
    keys = {word: word.partition("=")[0].lstrip("+~").replace("/", ".") for word in filter_overrides(words)}
    return [word for word, key in keys.items() if option is None or whole.startswith(f"{key}.")]


def without_hydra(config: DictConfig) -> DictConfig:
    """Return a copy of a job's configuration without Hydra's own part."""
    config = copy.deepcopy(config)
    OmegaConf.set_readonly(config, False)
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    return config


def _remedy(jobs: Sequence[Words], broken: Sequence[Words], option: str | None) -> str:
    """Return the remedy: two command lines, if one choice separates the jobs that compose from the others."""
    for place, word in enumerate(broken[0] if option else []):
        bad = {words[place] for words in broken}
        fine = [words for words in jobs if words not in broken]
        good = {words[place] for words in fine}
        if good and not good & bad:
            without = [[word for word in words if word.partition("=")[0] != option] for words in broken]
            lines = [f"-m {_joined(part)}" for part in (without, fine)]
            return f"Split it by {word.partition('=')[0]} into two lines, which share their results: {'; '.join(lines)}"
    return "Mend that word, or leave it out"


def _joined(jobs: Sequence[Words]) -> str:
    """Return the words of a sweep over these jobs."""
    columns = [list(dict.fromkeys(column)) for column in zip(*jobs, strict=True)]
    values = [",".join(word.partition("=")[2] for word in column) for column in columns]
    return " ".join(f"{column[0].partition('=')[0]}={value}" for column, value in zip(columns, values, strict=True))
