"""Responses are timed first and audited after; a kill in either phase loses and doubles nothing."""

import json
from pathlib import Path

import pytest

from ssd.audit.compare import Audit
from ssd.campaign.dispatch import run
from ssd.config.plan import make_plan
from ssd.measure.timing import Stopwatch
from ssd.results.responses import Responses
from ssd.results.store import RunFolder
from ssd.run import runner
from ssd.tasks.tiny_math import TinyMath
from tests.effort import LONG
from tests.runs import composed, lines_of, only_folder, short_words

SECONDS = {"latency_s", "time_s", "verifier_s", "model_s", "peak_memory_mib"}
WORDS = ("runtime.traces=true", "decoder.depth=4")


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """What is done in a run, in order."""
    made: list[str] = []

    def watch(kind: type, name: str, what: str) -> None:
        call = getattr(kind, name)
        monkeypatch.setattr(kind, name, lambda self, *given: made.append(what) or call(self, *given))

    watch(Stopwatch, "decode", "time")
    watch(Audit, "pair", "audit")
    watch(TinyMath, "judge", "score")
    return made


def without_times(value):
    if isinstance(value, dict):
        return {name: without_times(inner) for name, inner in value.items() if name not in SECONDS}
    return value


def traces_of(folder: Path) -> dict[str, dict]:
    return {file.name: json.loads(file.read_text()) for file in (folder / "traces").iterdir()}


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.slow
def test_nothing_is_audited_or_scored_between_timed_responses(batch_size, short_run, calls):
    short_run("llada", f"runtime.batch_size={batch_size}")
    timed = calls.count("time")
    assert calls == ["time"] * timed + ["audit", "score"] * 3


@pytest.fixture(scope="module")
def undisturbed(checkpoints, tmp_path_factory) -> tuple[dict, Path]:
    """The summary and the folder of the run that nothing kills."""
    results = tmp_path_factory.mktemp("undisturbed")
    summary = run(make_plan(composed(*short_words(checkpoints["llada"], "llada", results), *WORDS)))
    return summary, only_folder(results)


TORN = '{"index": 0, "repeat"'
KILLS = [(place, ("", TORN)[place % 2]) for place in range(6)]
MORE = [(place, ("", TORN)[(place + 1) % 2]) for place in range(6)]


@pytest.mark.slow
@pytest.mark.parametrize(("killed_at", "torn"), KILLS + (MORE if LONG else []))
def test_a_kill_before_any_line_loses_and_doubles_nothing(
    killed_at, torn, undisturbed, short_run, tmp_path, monkeypatch, calls
):
    """Lines 0 to 2 are of the first phase, lines 3 to 5 of the second; 3 is the kill between them."""
    summary, expected = undisturbed
    stored = []

    def kill(kind: type) -> None:
        append = kind.append

        def watch(self, line):
            if len(stored) == killed_at:
                file = self._samples if kind is RunFolder else self._file
                file.parent.mkdir(exist_ok=True)
                with file.open("a") as open_file:
                    open_file.write(torn)
                raise Killed
            stored.append(line)
            append(self, line)

        patch.setattr(kind, "append", watch)

    results = f"results_dir={tmp_path / 'killed'}"
    with monkeypatch.context() as patch:
        kill(RunFolder)
        kill(Responses)
        with pytest.raises(Killed):
            short_run("llada", *WORDS, results)
    folder = only_folder(tmp_path / "killed")
    assert not (folder / "done.json").exists()
    calls.clear()
    if killed_at >= 3:
        monkeypatch.setattr(runner.DecodePhase, "open", lambda *_: pytest.fail("all is decoded"))
    resumed = short_run("llada", *WORDS, results)
    assert calls == ["time"] * (3 - min(killed_at, 3)) + ["audit", "score"] * (3 - max(killed_at - 3, 0))
    for found, line in zip(lines_of(folder), lines_of(expected), strict=True):
        assert without_times(found) == without_times(line)
    assert traces_of(folder) == traces_of(expected)
    assert any(event["draft"] for trace in traces_of(folder).values() for event in trace["decoder"])
    assert names(folder) == names(expected)
    for name in ("nfe", "token_rows", "acceptance_length", "identity", "accuracy", "length"):
        assert resumed[name] == summary[name]


@pytest.mark.slow
def test_a_response_comes_back_with_its_seconds(short_run, tmp_path, monkeypatch):
    stored = []
    append = Responses.append
    monkeypatch.setattr(Responses, "append", lambda self, response: stored.append(response) or append(self, response))
    short_run("llada", *WORDS, "runtime.reference=chain")
    for response, line in zip(stored, lines_of(only_folder(tmp_path)), strict=True):
        assert response.from_json(json.loads(json.dumps(response.to_json()))) == response
        for side, timed in response.sides.items():
            assert {name: line[side][name] for name in SECONDS - {"peak_memory_mib"}} == {
                name: getattr(timed, name) for name in SECONDS - {"peak_memory_mib"}
            }
        assert line["peak_memory_mib"] == response.peak_memory_mib > 0


@pytest.mark.slow
def test_responses_of_another_machine_or_other_prompts_are_not_resumed(short_run, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "append", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            short_run("llada")
    folder = only_folder(tmp_path)
    circumstances, responses = folder / "environment.json", folder / "responses.jsonl"
    content = circumstances.read_text()
    circumstances.write_text(json.dumps(json.loads(content) | {"device_name": "another"}))
    with pytest.raises(ValueError, match=r"holds 3 samples measured elsewhere \(device_name: another → "):
        short_run("llada")
    circumstances.write_text(content)
    whole = responses.read_text()
    first, *others = whole.splitlines(keepends=True)
    responses.write_text("".join([json.dumps(json.loads(first) | {"prompt_sha256": "0"}) + "\n", *others]))
    with pytest.raises(ValueError, match="sample 0 was measured on another prompt"):
        short_run("llada")
    responses.write_text("broken\n" + whole)
    with pytest.raises(ValueError, match=r"responses.jsonl, line 1: not a response .*; delete line 1"):
        short_run("llada")
    responses.write_text('{"index": 0}\n' + whole)
    with pytest.raises(ValueError, match=r"responses.jsonl, line 1: not a response .*repair=true"):
        short_run("llada")
    assert short_run("llada", "repair=true")["prompts"] == 3
