"""Load a model with everything that decoding with it needs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

from ssd.api.presets import Preset, build_decoder, find_preset, read_preset
from ssd.api.prompts import Prompt, prompt_ids
from ssd.config.family_presets import family_preset, own_blocks
from ssd.config.runtime import DTYPES, check_here, device_or_auto
from ssd.config.special_ids import check_tokenizer, special_of
from ssd.decoding.decoder import Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens, Workload
from ssd.modeling.checkpoint import load_model, load_tokenizer, read_config, resolve
from ssd.modeling.config import ModelConfig
from ssd.modeling.forwards import DiffusionModel
from ssd.paths import choices

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_PREPARED: WeakKeyDictionary[Decoder, tuple[ref[LoadedModel], GenerationSettings]] = WeakKeyDictionary()
"""The model and the settings that each decoder was last loaded for."""


@dataclass(frozen=True, eq=False, repr=False)
class LoadedModel:
    """A model in memory, its tokenizer, special ids and default settings; made by `load`.

    folder: the checkpoint; config: its shape; chat: whether texts go through the chat template; settings: used by
    `decode` unless it gets others; verifier: folder or Hub id of the autoregressive model that APD needs.
    """

    name: str
    folder: Path
    model: DiffusionModel
    tokenizer: PreTrainedTokenizerBase
    special: SpecialTokens
    config: ModelConfig
    chat: bool
    settings: GenerationSettings
    verifier: str | None = None
    _decoders: dict[str, Decoder] = field(default_factory=dict)

    def __repr__(self) -> str:
        weights = sum(weight.numel() for weight in self.model.transformer.parameters())
        size = f"{weights / 1e9:.1f} B" if weights >= 1e9 else f"{weights / 1e6:.1f} M"
        dtype = str(self.model.dtype).removeprefix("torch.")
        ends = ", ".join(map(str, self.special.end_ids))
        prompts = "chat template" if self.chat else "plain text"
        return (
            f"LoadedModel({self.name!r}: {self.config.family}, {size} weights, {dtype} on {self.model.device}, "
            f"mask id {self.special.mask_id}, end ids {ends}, {self.config.context_length} positions, {prompts})"
        )

    @property
    def chat_template(self) -> str | None:
        """The tokenizer's chat template (Jinja), None if it has none."""
        return getattr(self.tokenizer, "chat_template", None)

    def prompt_ids(self, prompt: Prompt, chat: bool | None = None) -> list[int]:
        """Return the ids of a prompt; see `decode`."""
        return prompt_ids(self.tokenizer, prompt, self.chat if chat is None else chat)

    def decoder(self, decoder: Decoder | str) -> Decoder:
        """Return a decoder object, or the decoder of conf/decoder/ with this name. Raises ValueError."""
        if isinstance(decoder, Decoder):
            return decoder
        if decoder not in self._decoders:
            refers = {"path": str(self.folder), "verifier": self.verifier}
            self._decoders[decoder] = build_decoder(decoder, refers)
        return self._decoders[decoder]

    def prepare(self, decoder: Decoder, settings: GenerationSettings, prompt_length: int) -> None:
        """Check a decoder against model and settings, and load what it needs for them. Raises ValueError or OSError.

        Costs that it measured for another model or other settings are forgotten.
        """
        decoder.check_all(settings, self.config)
        wanted = (ref(self), settings)
        if _PREPARED.get(decoder) != wanted:
            decoder.restore({})
            decoder.load(self.model, self.folder, settings, Workload(prompt_length))
            _PREPARED[decoder] = wanted


def load(
    name: str, *, path: str | None = None, device: str = "auto", dtype: str | None = None, revision: str | None = None
) -> LoadedModel:
    """Return a model with its tokenizer, special ids, chat template and default settings.

    name: a preset (a file of conf/model/), a Hub id `owner/name`, or a checkpoint's folder; path: another folder or
    Hub id with the preset's files; device: `auto` (CUDA where there is one), `cpu`, `cuda` or `cuda:N`; dtype:
    `float64`, `float32`, `bfloat16` or `float16`, None: the preset's, without a preset the stored one.

    Without a preset, config.json and generation_config.json give the mask id and the end ids, and the family's preset
    gives the settings.
    Raises ValueError, FileNotFoundError or ConnectionError in one line.

    >>> ssd.load("llada_tiny")
    LoadedModel('llada_tiny': llada, 3.4 M weights, float32 on cpu, mask id 1, end ids 0, 4, 4096 positions, ...)
    """
    where = device_or_auto(device, "device=")
    check_here(where, "device=")
    if dtype is not None and dtype not in DTYPES:
        raise ValueError(f"dtype={dtype!r}: expected one of {', '.join(DTYPES)}")
    preset = find_preset(name)
    folder = _folder(name, path, preset, revision)
    block_length = preset.settings.causal_block if preset else None
    config = read_config(folder, block_length)
    special = special_of(folder, config) if preset is None else _checked(preset, config)
    if preset is not None:
        config = replace(config, context_length=min(config.context_length, preset.context_length))
    tokenizer = load_tokenizer(folder)
    check_tokenizer(folder, tokenizer, special)
    dtype = dtype or (preset.dtype if preset else None)
    return LoadedModel(
        name=preset.name if preset else name,
        folder=folder,
        model=load_model(folder, where, DTYPES[dtype] if dtype else None, block_length),
        tokenizer=tokenizer,
        special=special,
        config=config,
        chat=bool(getattr(tokenizer, "chat_template", None)) and (preset is None or preset.chat),
        settings=preset.settings if preset else _settings(config),
        verifier=preset.verifier if preset else None,
    )


def _settings(config: ModelConfig) -> GenerationSettings:
    """Return the settings of the family's preset, with the checkpoint's own blocks."""
    settings = read_preset(family_preset(config.family)).settings
    own: dict[str, Any] = own_blocks(config, vars(settings))
    return replace(settings, **own)


def _folder(name: str, path: str | None, preset: Preset | None, revision: str | None) -> Path:
    """Return the checkpoint's folder, downloaded if it is a Hub id."""
    if path is not None:
        return resolve(path, revision, "path")
    if preset is not None:
        return resolve(preset.path, revision or preset.revision)
    try:
        return resolve(name, revision, "name")
    except FileNotFoundError as error:
        presets = ", ".join(choices("model"))
        raise FileNotFoundError(f"{name}: no preset, no folder and no Hub id; the presets are {presets}") from error


def _checked(preset: Preset, config: ModelConfig) -> SpecialTokens:
    """Return the preset's special ids. Raises ValueError where config.json contradicts them."""
    special = preset.special
    if special.mask_id != config.mask_id or special.fill_id not in config.end_ids:
        ends = ", ".join(map(str, config.end_ids))
        raise ValueError(
            f"preset {preset.name} has mask id {special.mask_id} and EOS {special.fill_id}, config.json has "
            f"{config.mask_id} and {ends}; load the folder without a preset"
        )
    return special
