"""From a sweep's words to the configurations of its runs, before any of them starts."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import filter_overrides
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ssd.config.command_line import culprit, one_line

Words = list[str]


def jobs_of(config: DictConfig) -> list[Words]:
    """The words of every job, as Hydra's basic sweeper makes them. Raises ValueError for a sweep that it cannot do."""
    sweeper = config.hydra.sweeper
    if not sweeper._target_.endswith(".BasicSweeper"):
        raise ValueError(f"hydra/sweeper={sweeper._target_}: expected basic, for a grid runs all combinations")
    presets = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    try:
        overrides = parser.parse_overrides([*presets, *config.hydra.overrides.task])
        return BasicSweeper.split_arguments(overrides, None)[0]
    except HydraException as error:
        raise ValueError(one_line(error)) from error


def compose_jobs(config: DictConfig, jobs: Sequence[Words]) -> list[DictConfig]:
    """Each job's configuration without Hydra's own part. Raises ValueError, in one line, if one does not compose."""
    loader, composed, broken = GlobalHydra.instance().config_loader(), [], []
    for words in jobs:
        try:
            composed.append(without_hydra(loader.load_sweep_config(config, list(words))))
        except (HydraException, OmegaConfBaseException) as error:
            broken.append((words, error))
    if broken:
        words, error = broken[0]
        raise ValueError(
            f"{len(broken)} of {len(jobs)} runs do not compose, as {' '.join(filter_overrides(words))} "
            f"({one_line(error)}); nothing was started. {_remedy(jobs, [words for words, _ in broken], culprit(error))}"
        )
    return composed


def without_hydra(config: DictConfig) -> DictConfig:
    """What a run is given of a job's configuration."""
    config = copy.deepcopy(config)
    OmegaConf.set_readonly(config, False)
    OmegaConf.set_struct(config, False)
    del config["hydra"]
    return config


def _remedy(jobs: Sequence[Words], broken: Sequence[Words], option: str | None) -> str:
    """Two lines instead of one, where one choice tells the jobs that compose from those that do not."""
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
    """The words of a sweep that has these jobs."""
    columns = [list(dict.fromkeys(column)) for column in zip(*jobs, strict=True)]
    values = [",".join(word.partition("=")[2] for word in column) for column in columns]
    return " ".join(f"{column[0].partition('=')[0]}={value}" for column, value in zip(columns, values, strict=True))
