"""The roofline beside published times, and the page that shows it."""

import re
import shlex

import pytest

from ssd.cli import main
from ssd.report.projection.checks import checks, forwards_of, speedups, times, value_of
from ssd.report.projection.costs import node_costs, saved_steps
from ssd.report.projection.projected import Target
from ssd.report.published import published
from tests.data import REPOSITORY

PAGE = (REPOSITORY / "docs" / "when-drafting-pays.md").read_text()
COMMANDS = re.findall(r"^ {4}ssd-bench project (--.*)$", PAGE, re.MULTILINE)


def test_checks_have_the_published_number_of_forwards() -> None:
    numbers = published()
    for check in checks():
        assert forwards_of(check).per_response.sum() == pytest.approx(int(check["nfe"]))
        same = (numbers[["paper", "model", "task", "gen_length", "method", "setting"]] == [
            check[name] for name in ("paper", "model", "task", "gen_length", "method", "setting")
        ]).all(axis=1)  # fmt: skip
        counted = numbers["value"][same & (numbers["metric"] == "nfe")]
        assert set(counted) <= {int(check["nfe"])}


def test_a_number_that_is_not_published_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"checks\.csv: 0 published numbers for \['2505"):
        value_of({**checks()[0], "gen_length": "257"})


def test_speedups_between_published_times_are_the_quotients() -> None:
    found, known = speedups(), times()
    assert len(found) == sum(bool(check["faster_than"]) for check in checks())
    for _, row in found.iterrows():
        assert row["projected.low"] <= row["projected.high"]
        assert row["is_inside"] == (row["projected.low"] <= row["published"] <= row["projected.high"])
    cached = known["published"][1] / known["published"][0]
    assert found["published"][0] == pytest.approx(cached)


def test_more_nodes_cost_more_and_saved_steps_are_worth_less_than_they_promise() -> None:
    costs = node_costs(Target(models=("llada", "sdar_4b")), 8, 400, [2, 4, 8])
    assert len(costs) == 10
    for end in ("low", "high"):
        assert (costs[f"2.{end}"] <= costs[f"4.{end}"]).all()
        assert (costs[f"4.{end}"] <= costs[f"8.{end}"]).all()
    assert (costs["2.low"] >= 1).all()
    saved = saved_steps()
    for share in (50, 60, 70, 75):
        assert (saved[f"{share}%.high"] <= 1 / (1 - share / 100) + 1e-9).all()
        assert (saved[f"{share}%.low"] > 1).all()


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_shows_what_its_commands_print(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """After a change: run the command with --markdown and put its tables into the page."""
    assert main(["project", *shlex.split(command), "--markdown"]) == 0
    printed = capsys.readouterr().out
    tables = re.findall(r"(?:^\|.*\n)+", printed, re.MULTILINE)
    assert tables
    assert [table for table in tables if table not in PAGE] == []


def test_the_page_has_every_kind_of_table() -> None:
    assert "--published" in COMMANDS
    assert any(command.startswith("--nodes") for command in COMMANDS)
