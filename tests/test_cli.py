"""The console command: help, versions, its exit status, and what a missing library or folder leads to."""

import os
import runpy
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from ssd.cli import COMMANDS, main
from ssd.commands.results_dir import RESULTS, stored_run
from ssd.extras import MissingExtraError, extra
from tests.data import REPOSITORY


def test_help_is_fast_and_lists_every_command():
    code = (
        "import sys; from ssd.cli import main; main(['--help']); print(sorted({'torch', 'hydra'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert done.stdout.splitlines()[-1] == "[]", "help imports nothing heavy"


@pytest.mark.parametrize("words", [["--version"], ["run", "--version"]])
def test_the_version_is_ours(words, capsys):
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("ssd-benchmark")


def test_the_module_is_the_command(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ssd", "--version"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_module("ssd", run_name="__main__")
    assert capsys.readouterr().out.startswith("ssd-benchmark")


def test_help_is_also_a_word(capsys):
    assert main(["help"]) == main(["--help"]) == 0
    first, second = capsys.readouterr().out.split("usage: ssd-bench COMMAND")[1:]
    assert first == second


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["measure", "--help"]])
def test_output_that_nothing_reads_is_no_error(words, monkeypatch, capsys):
    """As `ssd-bench --help | head -1` leaves it."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as unread:
        monkeypatch.setattr(sys, "stdout", unread)
        assert main(words) == (2 if words[0] == "measure" else 141)
    assert "pipe" not in capsys.readouterr().err


def test_another_pipe_that_breaks_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr("ssd.cli._help", lambda: os.close(reader) or os.write(writer, b"-"))
    reader, writer = os.pipe()
    with (tmp_path / "output").open("w") as output:
        monkeypatch.setattr(sys, "stdout", output)
        with pytest.raises(BrokenPipeError):
            main(["--help"])
    os.close(writer)


def test_an_unknown_command_names_those_that_exist(capsys):
    assert main(["measure"]) == 2
    assert capsys.readouterr().err == (
        "error: measure is not a command; expected one of run, report, trace, audit, runs, bench, inflate, calibrate, "
        "project\n"
    )


@pytest.mark.parametrize("words", [["report"], ["runs"], ["trace", "run"], ["audit", "run"]])
def test_without_results_one_line_says_so(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words) != 0
    error = capsys.readouterr().err
    assert error.startswith("error: results: there is no such folder in ")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "library", "name"),
    [
        (["report"], "pandas", "report"),
        (["project"], "pandas", "report"),
        (["run"], "hydra", "run"),
        (["trace"], "yaml", "run"),
    ],
)
def test_a_missing_library_names_its_extra(words, library, name, monkeypatch, capsys):
    for module in [
        module for module in sys.modules if module.startswith(("ssd.commands", "ssd.report", "ssd.results"))
    ]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    assert main(words) == 1
    assert capsys.readouterr().err == f'error: {library} is not installed; pip install "ssd-benchmark[{name}]"\n'


def test_a_module_of_ours_is_never_a_missing_extra():
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'ssd\.nowhere'") as raised, extra("run"):
        import ssd.nowhere  # noqa: F401
    assert not isinstance(raised.value, MissingExtraError)


def test_help_of_run_has_groups_options_comments_and_examples(capsys):
    assert main(["run", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "\n  decoder: the decoder that is measured\n    ssd, apd, " in shown
    assert "\n  runtime.limit=null                      number of prompts; null: all\n" in shown
    assert "\n  decoder.kv_window=16 " in shown
    assert "\ndecoder=klass\n  as above: decoder.scope=block\n" in shown
    assert shown.count("python run.py ") >= 4
    assert max(map(len, shown.splitlines())) <= 120


def test_help_shows_the_choice_that_is_named(capsys):
    main(["run", "--help", "decoder=apd"])
    shown = capsys.readouterr().out
    assert "decoder.mixture_weight" in shown
    assert "decoder.draft_steps" not in shown


def test_an_id_is_a_run_under_the_results_folder(tmp_path, monkeypatch):
    """A folder of the same name that lies in the current folder is another run."""
    for folder in ("run", "results/run", "elsewhere/run"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "config.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert stored_run("run", RESULTS) == Path("results/run")
    assert stored_run("run", Path("elsewhere")) == Path("elsewhere/run")
    assert stored_run("elsewhere/run", RESULTS) == Path("elsewhere/run")
    assert stored_run(str(tmp_path / "run"), RESULTS) == tmp_path / "run"
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert stored_run("run", RESULTS) == Path("run")


def test_runs_takes_its_folder_in_either_way(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(import_module("ssd.report.console.run_list"), "print_runs", shown.append)
    assert main(["runs", str(tmp_path)]) == main(["runs", "--results", str(tmp_path)]) == 0
    assert shown == [tmp_path, tmp_path]


def test_completion_of_an_installed_command(monkeypatch, capsys):
    monkeypatch.setattr(import_module("ssd.commands.run"), "IS_INSTALLED", True)
    monkeypatch.setenv("COMP_LINE", "ssd-bench run decoder=ste")
    monkeypatch.setenv("HYDRA_FULL_ERROR", "")
    main(["-sc", "query=bash"])
    assert capsys.readouterr().out.strip() == "decoder=stepwise"
