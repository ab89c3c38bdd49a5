"""Whole runs over generated code: the sandbox is there before the weights, and its verdicts reach samples.jsonl."""

import json
from pathlib import Path
from typing import Any

import pytest

from ssd.config.plan import make_plan
from ssd.run import audit_phase, loading
from ssd.run.runner import run
from ssd.sandbox import sandbox
from ssd.sandbox.errors import SandboxError
from ssd.tasks.code_task import NO_PROGRAM, CodeTask
from tests.checkpoints import write_tiny_checkpoint
from tests.runs import composed, only_folder, short_words


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "llada", "llada")


@pytest.fixture
def words(checkpoint: Path, tmp_path: Path) -> list[str]:
    return [*short_words(checkpoint, "llada", tmp_path), "task=tiny_humaneval"]


def lines_of(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (only_folder(root) / "samples.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_run_of_a_random_model(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judged: list[list[str]] = []
    judge = CodeTask.judge

    def watch(self: CodeTask, responses: Any) -> Any:
        judged.append([text for text, _ in responses])
        return judge(self, responses)

    monkeypatch.setattr(CodeTask, "judge", watch)
    plan = make_plan(composed(*words))
    summary = run(plan)
    assert summary["accuracy"] == {**summary["accuracy"], "reference": 0.0, "decoder": 0.0}
    lines = lines_of(tmp_path)
    for line in lines:
        assert line["target"].startswith("def check(candidate):")
        assert all(line[side]["reason"] == NO_PROGRAM for side in ("reference", "decoder"))
    rehearsed, *judged = judged
    assert rehearsed == [plan.documents[0].solution]
    assert judged == [[line["reference"]["text"]] for line in lines], "equal texts are judged once"

    (printed,) = [line for line in capsys.readouterr().out.splitlines() if "runs what the model writes" in line]
    protection = json.loads((only_folder(tmp_path) / "environment.json").read_text())["protection"]
    assert printed == f"tiny_humaneval runs what the model writes, inside {protection}"
    assert plan.task._sandbox is None, "its judges are gone when the run is over"


@pytest.mark.slow
def test_both_sides_are_judged_in_one_call_where_they_differ(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = iter(["one", "another"] * 3)
    monkeypatch.setattr(audit_phase, "response_text", lambda *arguments: next(texts))
    judged: list[int] = []
    judge = CodeTask.judge
    monkeypatch.setattr(
        CodeTask, "judge", lambda self, responses: judged.append(len(responses)) or judge(self, responses)
    )
    run(make_plan(composed(*words)))
    assert judged == [1, 2, 2, 2], "the first document's own solution, and then the responses"
    assert {line["decoder"]["reason"] for line in lines_of(tmp_path)} == {NO_PROGRAM}


def test_without_isolation_no_weights_are_loaded(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "acceptable", lambda allow_unsafe: [])
    monkeypatch.setattr(loading, "load_model", lambda *arguments: pytest.fail("weights were loaded"))
    with pytest.raises(SandboxError, match=r"cannot isolate .*task\.allow_unsafe_code=true"):
        run(make_plan(composed(*words)))
    assert not list(tmp_path.iterdir()), "a run that could not start leaves nothing behind"


@pytest.mark.slow
@pytest.mark.parametrize("task", ["tiny_humaneval", "tiny_mbpp"])
def test_the_shipped_checkpoint_solves_them(task: str, tmp_path: Path) -> None:
    words = ["model=llada_tiny", f"task={task}", "decoder=stepwise", "generation.gen_length=32", "runtime.timing=false"]
    summary = run(make_plan(composed(*words, "runtime.limit=1", "runtime.threads=1", f"results_dir={tmp_path}")))
    assert summary["accuracy"]["reference"] == 1.0
    assert {line["decoder"]["reason"] for line in lines_of(tmp_path)} == {"passed"}
