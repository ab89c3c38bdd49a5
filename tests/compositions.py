"""Hydra reads each file and composes each choice of files once per process; a line's values are applied every time."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any

import pytest
from hydra._internal import config_loader_impl, defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra._internal.defaults_list import DefaultsList
from hydra.core.default_element import InputDefault
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf

Key = tuple[Any, ...]


@contextmanager
def remembered_compositions() -> Iterator[None]:
    """Let Hydra remember files, which of them a line chooses, and what they merge to: 0.1 s of each composition.

    Hydra's own files come first, and nearly every line merges the same ones. Copies and maps that a composition does
    not need are left out.
    """
    interpolations = defaults_list._create_interpolation_map
    choose, merge = config_loader_impl.create_defaults_list, ConfigLoaderImpl._compose_config_from_defaults_list
    chosen: dict[Key, DefaultsList] = {}
    read = ConfigRepository.load_config
    merged: dict[Key, bytes] = {}
    files: dict[Key, bytes] = {}

    def read_once(self: ConfigRepository, config_path: str) -> ConfigResult | None:
        key = (*_folders(self), config_path)
        if key not in files:
            files[key] = pickle.dumps(read(self, config_path))
        content: ConfigResult | None = pickle.loads(files[key])
        return content

    def choose_once(
        repo: IConfigRepository, config_name: str | None, overrides_list: list[Override], **options: bool
    ) -> DefaultsList:
        words = [override for override in overrides_list if "." not in override.key_or_group]
        key = (*_folders(repo), config_name, *options.items(), *(override.input_line for override in words))
        if key not in chosen:
            chosen[key] = choose(repo=repo, config_name=config_name, overrides_list=words, **options)
        found = chosen[key]
        undotted = {override.input_line for override in found.config_overrides}
        values = [
            override
            for override in overrides_list
            if override.input_line in undotted or (override not in words and not override.is_sweep_override())
        ]
        return DefaultsList(found.defaults, found.defaults_tree, values, found.overrides)

    def merge_once(self: ConfigLoaderImpl, defaults: list[Any], repo: IConfigRepository) -> DictConfig:
        hydras = next((place for place, each in enumerate(defaults) if not each.config_path.startswith("hydra/")), 0)
        key = (*_folders(repo), *map(repr, defaults))
        if key not in merged:
            config = merge(self, defaults[hydras:], repo)
            if hydras:
                own, config = config, merge_once(self, defaults[:hydras], repo)
                config.merge_with(own)
            merged[key] = pickle.dumps(config)
        remembered: DictConfig = pickle.loads(merged[key])
        return remembered

    def map_if_needed(overrides: Any, defaults: list[InputDefault], self_added: bool) -> DictConfig:
        needed = any(default.is_interpolation() for default in defaults)
        return interpolations(overrides, defaults, self_added) if needed else OmegaConf.create()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConfigRepository, "load_config", read_once)
        # The copy is there to get other sources, and these replace its list.
        patch.setattr(ConfigRepository, "__deepcopy__", lambda self, _: copy(self), raising=False)
        patch.setattr(defaults_list, "_create_interpolation_map", map_if_needed)
        patch.setattr(config_loader_impl, "create_defaults_list", choose_once)
        patch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", merge_once)
        yield


def _folders(repo: IConfigRepository) -> list[str]:
    return [source.full_path() for source in repo.get_sources()]
