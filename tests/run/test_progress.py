"""What a run prints while it works: what it does, what is stored already, and the time that remains."""

import pytest

from ssd.results.store import RunFolder
from ssd.run import decode_phase, progress
from ssd.run.progress import AUDITED, DECODED, ProgressBar, duration
from ssd.run.runner import MODELS


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets; returns the function that moves it on by seconds."""
    now_s = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now_s[0])
    return lambda seconds: now_s.__setitem__(0, now_s[0] + seconds)


def test_without_a_terminal_a_line_a_minute_has_the_time_left(clock, capsys):
    with ProgressBar(DECODED, AUDITED) as bar:
        bar.expect_run(1319, 120, 0)
        clock(50)  # the model is loaded
        bar.advance(DECODED)
        for _ in range(25):
            clock(5)
            bar.advance(DECODED, 1)
        clock(600)
        bar.advance(AUDITED)
    assert capsys.readouterr().err.splitlines() == [
        "resuming: 120 of 1319 responses are there",
        "prompts decoded: 122 of 1319, about 1.7 hours left",
        "prompts decoded: 134 of 1319, about 1.6 hours left",
        "prompts audited: 0 of 1319",
    ]


def test_a_quick_run_prints_no_progress(clock, capsys):
    with ProgressBar(DECODED, AUDITED) as bar:
        bar.expect_run(3, 0, 0)
        for phase in (DECODED, AUDITED):
            bar.advance(phase)
            for _ in range(3):
                bar.advance(phase, 1)
    assert capsys.readouterr().err == ""


def test_a_terminal_has_bars_and_lines_above_them(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with ProgressBar(DECODED) as bar:
        bar.expect(DECODED, 4, 1)
        bar.tell("loading a model")
        bar.advance(DECODED)
        bar.advance(DECODED, 3)
    shown = capsys.readouterr().err
    assert "loading a model" in shown
    assert "4/4" in shown


@pytest.mark.slow
def test_a_run_tells_what_it_does_and_what_is_there(short_run, tmp_path, monkeypatch, capsys):
    class Killed(BaseException):
        pass

    MODELS.forget()
    monkeypatch.setattr(decode_phase, "BUDGET_S", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "append", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            short_run("llada", "runtime.predict=true")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("loading ")
    assert first.endswith(" on cpu")
    assert second == "timing forwards (0 s)"
    short_run("llada", "runtime.predict=true")
    assert capsys.readouterr().err.splitlines() == ["resuming: 3 of 3 responses are there"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than a minute"),
        (59, "less than a minute"),
        (61, "about a minute"),
        (89 * 60, "about 89 minutes"),
        (3 * 3600, "about 3.0 hours"),
        (3 * 86400, "about 3.0 days"),
    ],
)
def test_durations_are_told_in_the_unit_a_reader_would_choose(seconds, words):
    assert duration(seconds) == words
