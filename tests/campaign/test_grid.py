"""Grids as a user types them: what is told before, while and after; what goes wrong, and how it goes on."""

import errno
import json
from pathlib import Path

import pytest
import torch
from hydra.errors import HydraException

from ssd.campaign import dispatch, end
from ssd.campaign.planned_run import Grid
from ssd.commands import run as command
from ssd.report.console import run_table as table
from ssd.results import atomic_io as disk
from ssd.results.atomic_io import locked
from ssd.results.last_grid import last_grid
from ssd.speculation.decoder import SelfSpeculative
from tests.lines import folders
from tests.runs import lines_of

RESULTS = Path("results")


def break_depth(monkeypatch: pytest.MonkeyPatch, depth: int, error: BaseException) -> None:
    """Let the run with that depth raise when its model has been loaded."""

    def broken(self, *_):
        if self.depth == depth:
            raise error

    monkeypatch.setattr(SelfSpeculative, "load", broken)


@pytest.mark.slow
def test_a_grid_says_what_it_will_do_does_it_and_ends_with_a_table(line):
    status, output, errors = line("-m", "decoder.depth=1,2", "decoder.width=1,null")
    assert status == 0, errors
    first, second, *_ = output.splitlines()
    assert first == "grid of 2 runs: none done yet", "equal runs count once, however they are spelled"
    assert second == ("time: less than a minute (from a measured forward, as if each decoder were stepwise decoding)")
    begun = [text for text in output.splitlines() if text.startswith("run ")]
    assert begun == [f"run {n} of 2: ssd depth={n} (less than a minute left)" for n in (1, 2)]
    assert output.count("2 runs of tiny_math") == 1
    assert output.count("NFE per response") == 0, "one table, at the end"
    assert output.splitlines()[-1] == "figures and tables: ssd-bench report results --last-grid"
    assert "intervals mean little below 20 prompts" in output
    assert len(folders(RESULTS)) == 2
    assert sorted(last_grid(RESULTS)) == [run.name for run in folders(RESULTS)]

    before = {folder: (folder / "samples.jsonl").read_bytes() for folder in folders(RESULTS)}
    status, output, errors = line("-m", "decoder.depth=1,2,3")
    assert status == 0, errors
    assert output.startswith("grid of 3 runs: 2 done already\ntime: less than a minute (from 2 stored runs)\n")
    assert [output.count(f"depth={depth}: done already") for depth in (1, 2, 3)] == [1, 1, 0]
    assert "3 runs of tiny_math" in output
    assert all((folder / "samples.jsonl").read_bytes() == content for folder, content in before.items())


@pytest.mark.slow
def test_one_mistake_of_all_runs_is_told_once_before_any_begins(line):
    status, output, errors = line("-m", "decoder.depth=1,2,3", "runtime.warmup=-1")
    assert (status, output) == (1, "")
    assert errors == "error: runtime.warmup=-1: expected a whole number of at least 0"


def test_a_mistake_of_several_runs_is_told_once():
    grid = Grid([], [None] * 3, [("depth=1", "too deep"), ("width=9", "too wide"), ("depth=2", "too deep")])
    assert grid.refusals() == [("depth=1 and 1 more", "too deep"), ("width=9", "too wide")]


@pytest.mark.slow
def test_what_an_unfinished_run_has_counts(line):
    line("decoder.depth=2")
    (folder,) = folders(RESULTS)
    whole = (folder / "samples.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "samples.jsonl").write_bytes(b"".join(whole[:2]))
    (folder / "done.json").unlink()
    status, output, _ = line("-m", "decoder.depth=2")
    assert status == 0
    assert output.startswith("grid of 1 run: none done yet, 1 begun (1 of 3 responses left)\n")
    assert "(from own responses)" in output
    assert (folder / "samples.jsonl").read_bytes().splitlines(keepends=True)[:2] == whole[:2]


@pytest.mark.slow
def test_a_run_that_fails_stops_no_other_and_is_listed_with_its_traceback(line, monkeypatch):
    with monkeypatch.context() as patch:
        break_depth(patch, 2, RuntimeError("the model broke\nin two lines"))
        status, output, errors = line("-m", "decoder.depth=1,2,0,3")
    assert status == 1
    assert "1 that cannot be planned\n  cannot be planned: decoder.depth=0: decoder.depth=0: expected auto" in output
    assert "2 runs of tiny_math" in output
    told, listed = errors.split("2 of 4 runs are not done:\n")
    failed = next(folder for folder in folders(RESULTS) if not (folder / "done.json").is_file())
    assert listed.splitlines() == [
        "  decoder.depth=0: decoder.depth=0: expected auto or a whole number of at least 1",
        f"  ssd depth=2: RuntimeError: the model broke ({failed / 'error.json'})",
    ]
    assert f"error: RuntimeError: the model broke in two lines; traceback: {failed / 'error.json'}\n" in told
    assert "in broken" in json.loads((failed / "error.json").read_text())["traceback"]

    status, output, errors = line("-m", "decoder.depth=1,2,3")
    assert status == 0, errors
    assert output.startswith("grid of 3 runs: 2 done already\n")
    assert not (failed / "error.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory. Tried ..."), MemoryError()])
def test_out_of_memory_names_the_remedy(line, monkeypatch, error):
    break_depth(monkeypatch, 2, error)
    status, output, errors = line("-m", "decoder.depth=2,1")
    assert status == 1
    assert "error: out of memory" in errors
    assert "pass a shorter generation.gen_length, runtime.dtype=bfloat16, fewer nodes" in errors
    assert "1 run of tiny_math" in output


def test_a_single_run_that_fails_unexpectedly_names_its_traceback(line, monkeypatch):
    break_depth(monkeypatch, 2, RuntimeError("the model broke"))
    status, _, errors = line("decoder.depth=2")
    (folder,) = folders(RESULTS)
    assert (status, errors.splitlines()[-1]) == (
        1,
        f"error: RuntimeError: the model broke; traceback: {folder / 'error.json'}",
    )


@pytest.mark.slow
def test_an_interrupted_grid_stops_and_the_same_line_goes_on(line, monkeypatch):
    with monkeypatch.context() as patch:
        break_depth(patch, 2, KeyboardInterrupt())
        status, output, errors = line("-m", "decoder.depth=1,2,3")
    assert (status, errors.splitlines()[-1]) == (130, "interrupted; the same line resumes where it stopped")
    assert sum((path / "done.json").is_file() for path in folders(RESULTS)) == 1, "depth 3 was not begun"
    status, output, _ = line("-m", "decoder.depth=1,2,3")
    assert status == 0
    assert output.startswith("grid of 3 runs: 1 done already")


@pytest.mark.slow
def test_a_run_that_another_process_measures_is_left_to_it(line):
    line("-m", "decoder.depth=1,2")
    folder = folders(RESULTS)[0]
    (folder / "done.json").unlink()
    before = lines_of(folder)
    with locked(folder):
        status, _, errors = line("-m", "decoder.depth=1,2")
    assert status == 1
    assert f"{folder}: another process is measuring this run; wait for it" in errors.splitlines()[-1]
    assert lines_of(folder) == before
    assert not (folder / "error.json").exists(), "its folder is not ours"


def test_a_disk_that_runs_full_is_one_line_and_the_same_line_goes_on(line, monkeypatch):
    write_all = disk._write_all

    def full_after_two_lines(stream, content):
        file = Path(stream.name)
        if file.name == "samples.jsonl" and file.read_bytes().count(b"\n") == 2:
            stream.write(content[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        write_all(stream, content)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "_write_all", full_after_two_lines)
        status, _, errors = line("decoder.depth=2")
    (folder,) = folders(RESULTS)
    kept = (folder / "samples.jsonl").read_bytes()
    told = [text for text in errors.splitlines() if text.startswith("error: ")]
    assert (status, len(told), kept.count(b"\n")) == (1, 1, 2)
    assert told[0].startswith(f"error: {folder / 'samples.jsonl'} cannot be written: the disk is full")
    assert kept.endswith(b"\n")
    status, _, errors = line("decoder.depth=2")
    assert status == 0, errors
    assert (folder / "samples.jsonl").read_bytes().startswith(kept)


def test_a_grid_whose_results_cannot_be_written_does_not_start(line, monkeypatch):
    def read_only(stream, content):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(disk, "_write_all", read_only)
    status, output, errors = line("-m", "decoder.depth=1,2")
    assert (status, output, errors.count("\n")) == (1, "", 0)
    assert errors.startswith("error: results cannot be written: the disk is read-only")


@pytest.mark.slow
def test_runs_measured_under_other_circumstances_are_marked(line):
    line("-m", "decoder.depth=1,2")
    file = folders(RESULTS)[0] / "environment.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"commit": "0123456789abcdef"}))
    _, output, _ = line("-m", "decoder.depth=1,2,3")
    assert output.splitlines()[1] == (
        "  NOTE: of those done, 1 measured under other circumstances: commit: 0123456789abcdef → None; "
        "overwrite=true measures anew"
    )
    assert output.count(" † ") == 1
    assert "† measured under other circumstances than most: commit: None → 0123456789\n" in output


def test_a_run_that_is_done_stays_so_whatever_fails_after_it(line, monkeypatch):
    def broken(*_):
        raise RuntimeError("the table broke")

    monkeypatch.setattr(table, "print_summary", broken)
    status, _, errors = line("decoder.depth=2")
    (folder,) = folders(RESULTS)
    assert (status, errors.splitlines()[-1]) == (1, "error: RuntimeError: the table broke")
    assert "in broken" in errors, "the traceback is kept nowhere else"
    assert (folder / "done.json").is_file()
    assert not (folder / "error.json").exists()


def test_slurm_is_asked_for_only_where_it_is(line, monkeypatch):
    monkeypatch.setenv("PATH", "")
    status, _, errors = line("-m", "hydra/launcher=slurm", "decoder.depth=1,2")
    assert status == 1
    assert errors.startswith("error: hydra/launcher=slurm: this machine has no srun; ")


@pytest.mark.slow
def test_the_same_run_in_other_words_is_measured_once(line):
    status, output, errors = line("-m", "overwrite=true", "decoder.depth=2", "decoder.width=null,1")
    assert status == 0, errors
    assert output.startswith("grid of 1 run: ")
    (folder,) = folders(RESULTS)
    assert output.count(f"accuracy 0.0%; {folder}\n") == 1, "a line per run"


@pytest.mark.slow
def test_a_grid_whose_table_breaks_says_so_and_fails(line, monkeypatch):
    def broken(*_):
        raise RuntimeError("the table broke")

    monkeypatch.setattr(end, "print_comparison", broken)
    status, _, errors = line("-m", "decoder.depth=1")
    assert (status, errors.splitlines()[-1]) == (1, "error: RuntimeError: the table broke")


class Workers:
    """A pool in which nothing is done: `submit` and `finish` raise what they are told to."""

    left = False

    def __init__(self, at_submit: BaseException | None, at_finish: BaseException | None) -> None:
        self.errors = at_submit, at_finish

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.left = True

    def submit(self, _):
        if self.errors[0] is not None:
            raise self.errors[0]

    def finish(self):
        raise self.errors[1]


@pytest.mark.parametrize(
    ("at_submit", "at_finish", "told"),
    [
        (KeyboardInterrupt(), None, "interrupted; the same line resumes where it stopped"),
        (None, RuntimeError("the queue broke"), "  ssd: RuntimeError: the queue broke"),
    ],
)
def test_workers_are_left_and_the_rest_is_told_whatever_happens(line, monkeypatch, at_submit, at_finish, told):
    pool = Workers(at_submit, at_finish)
    monkeypatch.setattr(dispatch, "Pool", lambda: pool)
    status, _, errors = line("-m", "runtime=ray", "runtime.workers=1", "runtime.timing=false")
    assert status
    assert errors.splitlines()[-1] == told
    assert pool.left


def test_developers_see_whole_tracebacks(line, monkeypatch):
    status, _, errors = line("decoder.depth=0")
    assert (status, errors.count("\n")) == (1, 1)
    monkeypatch.setattr(command, "SHOWS_TRACEBACKS", True)
    status, _, errors = line("decoder.depth=0")
    assert status == 1
    assert errors.startswith("Traceback (most recent call last):\n")
    assert errors.splitlines()[-1] == "error: decoder.depth=0: expected auto or a whole number of at least 1"
    with pytest.raises(HydraException, match=r"Could not override 'decoder\.dpth'"):
        line("decoder.dpth=1")
