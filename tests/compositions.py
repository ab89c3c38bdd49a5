"""Hydra reads each file and composes each choice of files once per process; a line's values are applied every time."""

import copy
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository, IConfigRepository
from hydra._internal.defaults_list import DefaultsList
from hydra.core.override_parser.types import Override
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig

Key = tuple[Any, ...]


@contextmanager
def remembered_compositions() -> Iterator[None]:
    """Let Hydra remember files, which of them a line chooses, and what they merge to: 0.1 s of each composition."""
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
        key = (*_folders(repo), *map(repr, defaults))
        if key not in merged:
            own = [default for default in defaults if default.config_path.startswith("hydra/")]
            if len(own) in (0, len(defaults)):
                config = merge(self, defaults, repo)
            else:  # Hydra's own files come first, are mostly the same, and take longest
                config = merge_once(self, own, repo)
                config.merge_with(merge(self, defaults[len(own) :], repo))
            merged[key] = pickle.dumps(config)
        again: DictConfig = pickle.loads(merged[key])
        return again

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConfigRepository, "load_config", read_once)
        # Hydra copies a repository for each line, because it may replace its list of sources; it changes no source.
        patch.setattr(ConfigRepository, "__deepcopy__", lambda self, memo: copy.copy(self), raising=False)
        patch.setattr(config_loader_impl, "create_defaults_list", choose_once)
        patch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", merge_once)
        yield


def _folders(repo: IConfigRepository) -> list[str]:
    return [source.full_path() for source in repo.get_sources()]
