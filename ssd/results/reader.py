"""The one reader of stored runs. It changes no file, and needs no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import yaml

from ssd.results.schema import SCHEMA, Environment, Failure, Sample, SideRecord, Verdict
from ssd.results.summary_schema import Summary

Line = dict[str, Any]
Case = dict[str, Any]
ANEW = "measure the run anew with overwrite=true"
REPAIR = "repeat the run's command with repair=true, which drops damaged lines and measures their prompts again"
REBUILT = f"repeat the run's command, which makes it again from samples.jsonl, or {ANEW}"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError)
"""Errors of reading a line that is not JSON, or not what is expected."""
CLASSES = get_args(Verdict)
SIDES = ("reference", "decoder")
"""Sides that every sample has."""


@dataclass(frozen=True)
class StoredRun:
    """A run's folder; an unfinished run has no summary yet."""

    folder: Path
    config: dict[str, Any]
    environment: dict[str, Any]
    lines: list[Line]
    summary: dict[str, Any] | None

    @property
    def claims_lossless(self) -> bool:
        """As its summary states it, caveats included; an unfinished run's configuration states it."""
        if self.summary is None:
            return bool(self.config["decoder"]["lossless"])
        return bool(self.summary["claims_lossless"])


def find_run(name: str, results: Path) -> Path:
    """Return the folder of a run, from a run id under `results` or from a path. Raises FileNotFoundError.

    The id comes first: a folder of this name that happens to lie here is another run.
    """
    for folder in (results / name, Path(name).expanduser()):
        if (folder / "config.yaml").is_file():
            return folder
    raise FileNotFoundError(f"{name}: no such run; expected a run's folder or a run id under {results} (--results)")


def run_folders(root: Path) -> Iterator[Path]:
    """Return the folders in `root` that hold a run or parts of one, sorted by name; only `root` if it is a run."""
    if (root / "config.yaml").is_file():
        yield root.resolve()
        return
    files = ("config.yaml", "responses.jsonl", "samples.jsonl", "summary.json", "done.json")
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and any((folder / name).is_file() for name in files):
            yield folder


def read_run(folder: Path) -> StoredRun:
    """Return all that a run has stored. Raises ValueError naming the file or line that cannot be read, and the remedy.

    The summary of a run without done.json is None, even if its file is there.
    """
    config, environment = read_config(folder), read_environment(folder)
    lines = read_lines(folder / "samples.jsonl")
    summary = read_summary(folder) if (folder / "done.json").is_file() else None
    return StoredRun(folder, config, cast(dict[str, Any], environment), lines, cast(dict[str, Any] | None, summary))


def read_config(folder: Path) -> dict[str, Any]:
    """Return the resolved configuration. Raises ValueError if a group lacks its name."""
    config = _mapping(folder / "config.yaml", lambda text: yaml.load(text, Loader=LOADER))
    for group in ("decoder", "model", "task"):
        if not isinstance(config.get(group), Mapping) or "name" not in config[group]:
            raise ValueError(f"{folder / 'config.yaml'}: expected {group}.name; {ANEW}")
    return config


def read_environment(folder: Path) -> Environment:
    return cast(Environment, read_json(folder / "environment.json", checked=True))


def read_summary(folder: Path) -> Summary:
    return cast(Summary, read_json(folder / "summary.json", checked=True))


def read_failure(folder: Path) -> Failure:
    return cast(Failure, read_json(folder / "error.json"))


def read_json(file: Path, checked: bool = False) -> dict[str, Any]:
    """Return a JSON object. Raises ValueError if it cannot be read or, where `checked`, has another schema."""
    content = _mapping(file, json.loads, REBUILT if file.name == "summary.json" else ANEW)
    if checked:
        require_schema(content, file)
    return content


def require_schema(content: Mapping[str, Any], where: object) -> None:
    """Raise ValueError, in one line, for a record of another schema than this version's."""
    if content.get("schema") != SCHEMA:
        raise ValueError(f"{where}: schema {content.get('schema')}, this version reads schema {SCHEMA}; {ANEW}")


def read_lines(file: Path) -> list[Line]:
    """Return the lines of samples.jsonl, without a torn last one. Raises ValueError for a bad line, or if all lack."""
    lines = list(whole_lines(file, case_of))
    if not lines:
        raise ValueError(f"{file}: no samples yet; the run has not audited its first prompt")
    return lines


def whole_lines(file: Path, check: Callable[[Line], object] = bool) -> Iterator[Line]:
    """Return the lines of this schema that end with a line break. Raises ValueError for any other whole line.

    check: raises one of UNREADABLE for a line that must not pass.
    """
    for number, text in enumerate(whole_texts(file), start=1):
        try:
            line = parse_line(text, check)
        except UNREADABLE as error:
            raise damaged(file, number, "a sample", error) from error
        require_schema(line, f"{file}, line {number}")
        yield line


def whole_texts(file: Path) -> list[bytes]:
    """Return the lines of a file that end with a line break, without it; [] if there is no file."""
    return file.read_bytes().split(b"\n")[:-1] if file.is_file() else []


def parse_line(text: bytes, check: Callable[[Line], object]) -> Line:
    """Return a line of samples.jsonl; `check` sees lines of this schema only. Raises one of UNREADABLE."""
    line = json.loads(text)
    if not isinstance(line, dict):
        raise TypeError(f"expected an object, found {type(line).__name__}")
    if line["schema"] == SCHEMA:
        check(line)
    return line


def damaged(file: Path, number: int, what: str, error: Exception) -> ValueError:
    """Return the error of a line that is not `what`, with the remedy."""
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return ValueError(
        f"{file}, line {number}: not {what} ({reason}); delete line {number} and repeat the run's command, or add "
        "repair=true to it, which does that (overwrite=true measures the whole run anew)"
    )


def require_sample(line: Line) -> None:
    """Raise one of UNREADABLE for a line that lacks a key of a sample, or contradicts itself."""
    needed = Sample.__annotations__.keys() - {"uncached"}  # only a chain has it
    lacking = sorted(needed - line.keys())
    lacking += [f"{side}.{name}" for side in SIDES for name in SideRecord.__annotations__ if name not in line[side]]
    if lacking:
        raise ValueError(f"without {', '.join(lacking)}")
    case_of(line)


def place_of(line: Mapping[str, Any] | Sample) -> tuple[int, int]:
    """Return which sample a line is: index of the prompt, number of the response to it."""
    return line["index"], line["repeat"]


def case_of(line: Line) -> Case | None:
    """Return a sample's divergence with the sample's place; None if response and order are the reference's.

    index, repeat: the sample's; position: the divergence's index in the response; differs: the `response`, or only the
    `order` of its commitment. Raises ValueError for a line that contradicts itself.
    """
    index, repeat = place_of(line)
    ids = [line[side]["response_ids"] for side in SIDES if side in line]
    if len(ids) == 2 and (ids[0] == ids[1]) != line["identical"]:
        raise ValueError(f"identical is {line['identical']}, which its response_ids contradict")
    differs = "order" if line["identical"] else "response"
    found = line["order_divergence"] if line["identical"] else line["first_divergence"]
    if found is None and line["identical"]:
        return None
    divergence = {"differs": differs, **found}
    if divergence["class"] not in CLASSES:
        raise ValueError(f"class {divergence['class']!r}, expected one of {', '.join(CLASSES)}")
    position = divergence.pop("index", None)
    return {"index": index, "repeat": repeat, "position": position, **divergence}


def name_of(index: int, repeat: int) -> str:
    """Return `sample 3`, with the number of the response if it is not the prompt's first."""
    return f"sample {index}, repeat {repeat}" if repeat else f"sample {index}"


def _mapping(file: Path, parse: Callable[[str], Any], remedy: str = ANEW) -> dict[str, Any]:
    try:
        content = parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{file}: missing; {remedy}") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ValueError(f"{file}: cannot be read ({reason}); {remedy}") from error
    if not isinstance(content, Mapping):
        raise ValueError(f"{file}: expected names and values, found {type(content).__name__}; {remedy}")
    return dict(content)
