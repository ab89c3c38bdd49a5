"""Loading of checkpoints from a folder or from the Hub. No remote code is ever run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ssd.modeling.config import ModelConfig
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.json_values import LARGEST, MEND, read_json, refuse_pointer
from ssd.modeling.transformer import Transformer
from ssd.modeling.weight_files import weight_files, without_weights
from ssd.modeling.weight_filling import check_names, fill
from ssd.modeling.weights import hub_names
from ssd.paths import ROOT

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt", "chat_template.jinja",
)  # fmt: skip
HUB_FILES = ["*.json", "*.safetensors", "*.txt", "*.jinja"]


def local_folder(path: str) -> Path | None:
    """Return the folder at a path, also relative to the project; None for a Hub id or a missing folder."""
    folders = (Path(path).expanduser(), ROOT / path)
    return next((folder for folder in folders if folder.is_dir()), None)


def resolve(path: str, revision: str | None = None, option: str = "model.path") -> Path:
    """Return the local folder of a checkpoint, given as a folder (also relative to the project) or a Hub id.

    Raises FileNotFoundError or ConnectionError with the remedy: what to download, and the option for a local path.
    """
    folder = local_folder(path)
    if folder:
        return folder
    if path.startswith((".", "/", "~")) or path.count("/") != 1:
        raise FileNotFoundError(f"{option}={path}: no such folder; give a checkpoint's folder or a Hub id owner/name")
    from huggingface_hub import snapshot_download

    remedy = (
        f"download {path} ({', '.join(HUB_FILES)}) on a machine that reaches the Hub "
        f"(hf download {path}) and pass its folder as {option}=FOLDER"
    )
    try:
        return Path(snapshot_download(path, revision=revision, allow_patterns=HUB_FILES))
    except (OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConnectionError(
            f"{option}={path}, revision {revision}: not a local folder, and the Hub does not give it ({reason}); "
            f"{remedy}"
        ) from error


def read_config(folder: Path, block_length: int | None = None) -> ModelConfig:
    """Return a checkpoint's config; block_length: see `ModelConfig.from_hub`.

    Raises FileNotFoundError without a config.json, ValueError for an unusable one.
    """
    file = folder / "config.json"
    if not file.is_file():
        missing = f"{folder}: no config.json; model.path must name a checkpoint in the Hub's layout"
        raise FileNotFoundError(without_weights(folder) or missing)
    values, mask_id = read_json(file), _mask_id(folder)
    if None not in (mask_id, values.values.get("mask_token_id")) and mask_id != values.values["mask_token_id"]:
        raise ValueError(
            f"{file}: mask_token_id is {values.values['mask_token_id']}, but the tokenizer's mask token has id "
            f"{mask_id}; {MEND}"
        )
    named = re.findall(r"-b(\d+)(?=/|$)", folder.as_posix())  # as in SDAR-8B-Chat-b32
    block_length = block_length or (int(named[-1]) if named else None)
    return ModelConfig.from_hub(values.values, str(file), mask_id, _end_ids(folder), block_length)


def _mask_id(folder: Path) -> int | None:
    """Return the id of the mask token that tokenizer_config.json names; None if it names none."""
    file = folder / "tokenizer_config.json"
    values = read_json(file).values if file.is_file() else {}
    mask, added = values.get("mask_token"), values.get("added_tokens_decoder")
    text = mask.get("content") if isinstance(mask, dict) else mask
    if text is None or not isinstance(added, dict):
        return None
    ids = [key for key, token in added.items() if isinstance(token, dict) and token.get("content") == text]
    return int(ids[0]) if ids and ids[0].isdecimal() else None


def _end_ids(folder: Path) -> tuple[int, ...] | None:
    """Return the end ids of generation_config.json; None if it names none."""
    file = folder / "generation_config.json"
    values = read_json(file) if file.is_file() else None
    return values.ids("eos_token_id", LARGEST) if values and values.values.get("eos_token_id") is not None else None


def load_model(
    folder: Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | None = None,
    block_length: int | None = None,
) -> MaskedDiffusionModel:
    """Return the model of a folder, read tensor by tensor from memory-mapped files.

    The transformer starts on the meta device, so that a second copy of the weights never exists.
    dtype=None keeps the stored one; block_length: see `ModelConfig.from_hub`.
    Raises ValueError naming missing or unexpected weights, or the first one with a wrong shape.
    """
    from safetensors import SafetensorError

    config = read_config(folder, block_length)
    make_current(torch.device(device))
    with torch.device("meta"):
        transformer = Transformer(config)
    ours = {theirs: name for name, theirs in hub_names(config).items()}
    expected = {theirs: transformer.get_parameter(name).shape for theirs, name in ours.items()}
    try:
        stored = weight_files(folder)
        check_names(folder, set(expected), set(stored))
        for file in sorted(set(stored.values())):
            fill(transformer, file, [key for key in stored if stored[key] == file], ours, expected, device, dtype)
    except SafetensorError as error:
        raise ValueError(f"{folder}: a weight file is damaged ({error}); was it downloaded in full?") from error
    return MaskedDiffusionModel(transformer)


def make_current(device: torch.device) -> None:
    """Make a CUDA device the current one, because torch records timing events on the current device."""
    if device.type == "cuda":
        torch.cuda.set_device(device.index or 0)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Return a checkpoint's tokenizer. Raises FileNotFoundError if its files are missing, ValueError if one is damaged.

    Dream's files name a class of their own, which is remote code. Its vocabulary is Qwen2's, so Qwen2's class loads it.
    """
    from transformers import PreTrainedTokenizerFast, Qwen2TokenizerFast

    files = [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]
    names = {file.name for file in files}
    if "tokenizer.json" not in names and not {"vocab.json", "merges.txt"} <= names:
        raise FileNotFoundError(
            f"{folder}: neither tokenizer.json nor vocab.json with merges.txt; download the tokenizer too"
        )
    for file in files:
        refuse_pointer(file)
    kind = PreTrainedTokenizerFast if "tokenizer.json" in names else Qwen2TokenizerFast
    try:
        return kind.from_pretrained(folder)
    except Exception as error:  # the tokenizers library raises nothing narrower
        for file in files:
            if file.suffix == ".json":
                read_json(file)
        main = folder / ("tokenizer.json" if "tokenizer.json" in names else "vocab.json")
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"{main}: transformers makes no tokenizer of it ({type(error).__name__}: {reason}); take the "
            "tokenizer's files from the model's Hub page"
        ) from error
