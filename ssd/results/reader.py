"""Runs as they lie on the disk, read without changing them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Line = dict[str, Any]
Case = dict[str, Any]
CLASSES = ("numeric", "algorithmic", "unexplained")


@dataclass(frozen=True)
class StoredRun:
    """A run's folder; an unfinished one has no summary yet."""

    folder: Path
    config: dict[str, Any]
    environment: dict[str, Any]
    lines: list[Line]
    summary: dict[str, Any] | None

    @property
    def claims_lossless(self) -> bool:
        """As its summary says, which knows of caveats; an unfinished run as its configuration says."""
        if self.summary is None:
            return bool(self.config["decoder"]["lossless"])
        return bool(self.summary["claims_lossless"])


def find_run(name: str, results: Path) -> Path:
    """The folder of a run, given itself or as a run id under `results`. Raises FileNotFoundError."""
    for folder in (Path(name).expanduser(), results / name):
        if (folder / "config.yaml").is_file():
            return folder
    raise FileNotFoundError(f"{name}: no such run; expected a run's folder or a run id under {results} (--results)")


def read_run(folder: Path) -> StoredRun:
    """All that a run has stored. Raises ValueError naming the file or line that cannot be read, and the remedy."""
    finished = (folder / "done.json").is_file()
    return StoredRun(
        folder,
        _mapping(folder / "config.yaml", yaml.safe_load),
        _mapping(folder / "environment.json", json.loads),
        read_lines(folder / "samples.jsonl"),
        _mapping(folder / "summary.json", json.loads, "claims_lossless") if finished else None,
    )


def read_lines(file: Path) -> list[Line]:
    """The lines of samples.jsonl but for a torn last one. Raises ValueError for a corrupt line, or if there is none."""
    whole = file.read_bytes().rpartition(b"\n")[0] if file.is_file() else b""
    lines = []
    for number, text in enumerate(whole.splitlines(), start=1):
        try:
            line = json.loads(text)
            case_of(line)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{file}, line {number}: not a sample ({type(error).__name__}: {error}); measure the run anew with "
                "overwrite=true"
            ) from error
        lines.append(line)
    if not lines:
        raise ValueError(f"{file}: no samples yet; the run has not measured its first prompt")
    return lines


def place_of(line: Line) -> tuple[int, int]:
    """Which sample a line is: index of the prompt, number of the response to it."""
    return line["index"], line.get("repeat", 0)


def case_of(line: Line) -> Case | None:
    """A sample's divergence with the sample's place; None if response and order are the reference's.

    index, repeat: the sample's; position: the divergence's index in the response; differs: what does, the `response` or
    only the `order` of its commitment. Samples of older runs do not tell why an order differs: such a case has class
    `unexplained` and no figures.
    """
    index, repeat = place_of(line)
    ids = [line[side]["response_ids"] for side in ("reference", "decoder") if side in line]
    if len(ids) == 2 and (ids[0] == ids[1]) != line["identical"]:
        raise ValueError(f"identical is {line['identical']}, which its response_ids contradict")
    if not line["identical"]:
        divergence = {"differs": "response", **line["first_divergence"]}
    elif line.get("order_divergence"):
        divergence = {"differs": "order", **line["order_divergence"]}
    elif "order_divergence" not in line and not line["same_commit_order"]:
        divergence = {"differs": "order", "class": "unexplained"}
    else:
        return None
    if divergence["class"] not in CLASSES:
        raise ValueError(f"class {divergence['class']!r}, expected one of {', '.join(CLASSES)}")
    position = divergence.pop("index", None)
    return {"index": index, "repeat": repeat, "position": position, **divergence}


def name_of(index: int, repeat: int) -> str:
    """`sample 3`, and which of several responses to its prompt."""
    return f"sample {index}, repeat {repeat}" if repeat else f"sample {index}"


def _mapping(file: Path, parse: Callable[[str], Any], *needed: str) -> dict[str, Any]:
    try:
        content = parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(f"{file}: cannot be read ({reason}); measure the run anew with overwrite=true") from error
    if not isinstance(content, Mapping) or any(name not in content for name in needed):
        raise ValueError(
            f"{file}: expected a mapping with {', '.join(needed) or 'names'}; measure the run anew with overwrite=true"
        )
    return dict(content)
