"""The weight files of a checkpoint's folder: which file holds which weight."""

from __future__ import annotations

from pathlib import Path

from ssd.modeling.json_values import REMEDY, read_json, refuse_pointer

SINGLE, INDEX, ADAPTER = "model.safetensors", "model.safetensors.index.json", "adapter_config.json"
BUFFER = ".inv_freq"
"""Ending of buffers that old checkpoints store. They follow from config.json."""


def weight_files(folder: Path) -> dict[str, Path]:
    """Return weight name → its file, from a sharded checkpoint's index or the single file's header.

    Raises FileNotFoundError or ValueError naming the file and what to do; SafetensorError for a damaged single file.
    """
    from safetensors import safe_open

    if (folder / INDEX).is_file():
        stored = _indexed(folder)
        for file in set(stored.values()):
            refuse_pointer(file)
    else:
        single = folder / SINGLE
        if not single.is_file():
            raise FileNotFoundError(
                without_weights(folder) or f"{folder}: neither {SINGLE} nor {INDEX}; download the weights too"
            )
        refuse_pointer(single)
        with safe_open(single, framework="pt") as tensors:
            stored = dict.fromkeys(tensors.keys(), single)
    return {name: file for name, file in stored.items() if not name.endswith(BUFFER)}


def without_weights(folder: Path) -> str | None:
    """Return an error message for a folder that holds an adapter or another format; None if it holds neither."""
    if (folder / ADAPTER).is_file():
        return (
            f"{folder}: a LoRA adapter ({ADAPTER}), not a whole model; merge it into its base model (peft: "
            "merge_and_unload, then save_pretrained) and pass the folder of the merged model"
        )
    others = sorted(file.name for file in folder.glob("*") if file.suffix in (".bin", ".pt", ".pth"))
    if others:
        return (
            f"{folder}: no {SINGLE}, only {others[0]}; convert it: read each such file with "
            f"torch.load(FILE, weights_only=True), join the dictionaries, and write them with "
            f"safetensors.torch.save_file(WEIGHTS, '{SINGLE}')"
        )
    return None


def _indexed(folder: Path) -> dict[str, Path]:
    """Return weight name → its file, as the index has it. Raises ValueError for files outside of the folder."""
    index = folder / INDEX
    listed = read_json(index).inner("weight_map")
    if listed is None:
        raise ValueError(f"{index}: missing key weight_map; {REMEDY}")
    for key, name in listed.values.items():
        if not isinstance(name, str) or Path(name).name != name or name in ("", ".."):
            raise listed.error(key, "the name of a file in this folder")
    stored = {key: folder / name for key, name in listed.values.items()}
    folders = sorted({file.name for file in stored.values() if file.is_dir()})
    if folders:
        raise ValueError(f"{folder}: {INDEX} names {', '.join(folders)}, which is a folder; {REMEDY}")
    absent = sorted({file.name for file in stored.values() if not file.is_file()})
    if absent:
        raise FileNotFoundError(f"{folder}: {INDEX} names {', '.join(absent)}, which is missing; download it too")
    return stored
