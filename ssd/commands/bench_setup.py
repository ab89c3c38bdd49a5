"""Set-up of all benchmarks: common options, the device, and the checkpoint of a preset."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf

from ssd.commands.lists import counts, names, whole
from ssd.config.runtime import DTYPES, check_graphs, check_here, check_threads, device_named
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.modeling.checkpoint import resolve
from ssd.paths import CONF
from ssd.run.device_lock import device_lock

SHARED: dict[str, dict[str, Any]] = {
    "gen_length": {"type": whole(1)},
    "prompt": {"type": whole(1), "help": "prompt tokens"},
    "nodes": {"type": counts, "help": "states per forward, as 1,2,4"},
    "caches": {"type": names, "help": "as prefix,dual (default: all of the model)"},
    "compile": {"action": "store_true", "help": "also compiled layers at static shapes"},
    "json": {"type": Path, "help": "a file to write the figures and their circumstances to"},
}
"""Options that several benchmarks have, each with a default of its own."""


def parser(description: str | None, **shared: Any) -> argparse.ArgumentParser:
    """Return a parser with the options of all benchmarks; shared: default by name of each option of SHARED."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    presets = sorted(file.stem for file in (CONF / "model").glob("*.yaml"))
    parser.add_argument("--model", default="llada_tiny", choices=presets)
    parser.add_argument("--path", type=Path, help="a checkpoint's folder, instead of the preset's path")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=sorted(DTYPES))
    parser.add_argument("--block-length", type=whole(1), help="default: the preset's, or 32")
    parser.add_argument("--threads", type=int)
    parser.set_defaults(gen_length=None, compile=False)  # of a benchmark without these options
    for name, default in shared.items():
        parser.add_argument(f"--{name.replace('_', '-')}", default=default, **SHARED[name])
    return parser


def measure(options: argparse.Namespace, bench: Callable[[argparse.Namespace], None], name: str) -> None:
    """Run a benchmark while it holds its device alone."""
    check_here(device_named(options.device, "--device "), "--device ")
    check_threads(options.threads, "--threads ")
    if options.compile:
        check_graphs("compile", torch.device(options.device))
    with device_lock(torch.device(options.device), True, name):
        if options.threads:
            torch.set_num_threads(options.threads)
        bench(options)


class Setup:
    """The preset, its special ids, and the settings, device and dtype that the options describe."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.preset = cast(DictConfig, OmegaConf.load(CONF / "model" / f"{options.model}.yaml"))
        self.special = SpecialTokens(self.preset.model.mask_id, tuple(self.preset.model.end_ids))
        lengths = {"gen_length": options.gen_length, "block_length": options.block_length}
        given = {name: value for name, value in lengths.items() if value is not None}
        self.settings = GenerationSettings(**{**self.preset.generation, **given})
        self.device = torch.device(options.device)
        self.dtype = DTYPES[options.dtype or self.preset.runtime.dtype]
        self.path = options.path

    def folder(self) -> Path:
        """Return the checkpoint's folder: that of --path, or the preset's, downloaded if it is a Hub id."""
        return resolve(str(self.path or self.preset.model.path), self.preset.model.revision)
