"""The data sets' own solutions all pass, and prompts without a solution do not."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ssd.sandbox.program import Limits, Program
from ssd.sandbox.reference import imports_under_test, names_under_test
from ssd.sandbox.sandbox import Sandbox
from tests.effort import some
from tests.sandbox.confined import confined

DataFile = Callable[[str], Path]
PATIENT = Limits(wall_s=120, cpu_s=60)


@pytest.fixture(scope="module")
def pair(strongest: Sandbox) -> Iterator[Sandbox]:
    """Two judges with the limits that a task has, but for time: other work on the machine must not fail a solution."""
    with confined(strongest.protection, PATIENT, workers=2) as pair:
        yield pair


def humaneval(data_file: DataFile, solution: Callable[[dict[str, str]], str]) -> list[Program]:
    with gzip.open(data_file("humaneval/HumanEval.jsonl.gz"), "rt") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Program(
            source=solution(row),
            tests=f"{row['test']}\ncheck({row['entry_point']})",
            names=(row["entry_point"],),
            trusted=row["prompt"],
        )
        for row in rows
    ]


def mbpp(rows: list[dict[str, Any]]) -> list[Program]:
    programs: list[Program] = []
    for row in rows:
        source, given, tests = (
            text.replace("\r\n", "\n")
            for text in (
                row["code"],
                row.get("test_setup_code") or "\n".join(row.get("test_imports", [])),
                "\n".join(row["test_list"]),
            )
        )
        using = f"{given}\n{tests}"
        setup = f"{imports_under_test(source, using)}\n{given}"
        programs.append(Program(source, tests, names_under_test(source, using), setup))
    return programs


def failures(sandbox: Sandbox, programs: list[Program]) -> list[tuple[int, str, str]]:
    outcomes = enumerate(sandbox.run(programs))
    return [(place, outcome.reason, outcome.detail) for place, outcome in outcomes if not outcome.passed]


@pytest.mark.slow
def test_humaneval(sandbox: Sandbox, data_file: DataFile) -> None:
    programs = some(humaneval(data_file, lambda row: row["prompt"] + row["canonical_solution"]), 24)
    with confined(sandbox.protection, PATIENT, workers=2) as pair:
        assert failures(pair, programs) == []


@pytest.mark.slow
def test_prompts_alone_fail(pair: Sandbox, data_file: DataFile) -> None:
    programs = some(humaneval(data_file, lambda row: row["prompt"]), 24)
    assert len(failures(pair, programs)) == len(programs) > 0


@pytest.mark.slow
def test_mbpp(pair: Sandbox, data_file: DataFile) -> None:
    lines = data_file("mbpp/mbpp.jsonl").read_text(encoding="utf-8").splitlines()
    assert failures(pair, mbpp(some(map(json.loads, lines), 48))) == []


@pytest.mark.slow
def test_sanitized_mbpp(pair: Sandbox, data_file: DataFile) -> None:
    assert (
        failures(pair, mbpp(some(json.loads(data_file("mbpp/sanitized-mbpp.json").read_text(encoding="utf-8")), 48)))
        == []
    )
