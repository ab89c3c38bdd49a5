"""`ssd-bench calibrate` as a user runs it, on a tiny random checkpoint, and runs with the files it writes."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from ssd.commands.calibrate import main
from ssd.config.plan import make_plan
from ssd.modeling.config import Family
from ssd.run.runner import run
from ssd.speculation.draft_graph import DraftGraph
from ssd.speculation.pick_prior import read_prior
from tests.checkpoints import write_tiny_checkpoint
from tests.data import REPOSITORY
from tests.models import FAMILIES
from tests.runs import composed, short_words

SHIPPED = ["llada_tiny", "dream_tiny"]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[Family, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {family: write_tiny_checkpoint(root / family, family) for family in FAMILIES}


@pytest.mark.slow
def test_a_graph_is_calibrated_and_used(family, checkpoints, tmp_path, capsys):
    file = tmp_path / "graph.json"
    words = short_words(checkpoints[family], family, tmp_path / "results")
    main([*words, "--graph", "task.seed=7", "runtime.limit=6", "--nodes", "5", "--depth", "3", "--out", str(file)])
    assert f"{file}: 5 drafts, up to " in capsys.readouterr().out
    graph = DraftGraph.read(file)
    assert len(graph.nodes) == 5
    assert max(len(node.steps) for node in graph.nodes) <= 3
    told = graph.calibrated_on
    assert (told["model"]["path"], told["task"]["seed"], told["prompts"]) == (str(checkpoints[family]), 7, 6)
    assert (told["states"], told["depth"], told["generation"]["block_length"]) == (6 * 2 * 7, 3, 8)

    plan = make_plan(composed(*words, "decoder=spiffy", f"decoder.graph={file}"))
    summary = run(plan)
    assert summary["identity"]["rate"] == 1
    assert summary["nfe"]["decoder"] < summary["nfe"]["reference"]
    before = plan.config["decoder"]["fingerprints"]
    main([*words, "--graph", "--nodes", "2", "--out", str(file)])
    other = make_plan(composed(*words, "decoder=spiffy", f"decoder.graph={file}"))
    assert other.config["decoder"]["fingerprints"] != before, "another graph is another run"


def test_the_experiment_that_needs_a_graph_can_calibrate_it(checkpoints, tmp_path):
    file = tmp_path / "graph.json"
    words = ["experiment=spiffy", *short_words(checkpoints["llada"], "llada", tmp_path), "runtime.limit=1"]
    main([*words, "--graph", "decoder.graph=FILE", "--out", str(file)])
    assert make_plan(composed(*words, f"decoder.graph={file}")).decoder.budget == 11


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "no/such/folder/graph.json"], "--out no/such/folder/graph.json: there is no folder no/such/folder"),
        (["--out", "graph.json", "--nodes", "0"], "--nodes 0: expected a whole number of at least 1"),
        (["--out", "graph.json", "--depth", "0"], "--depth 0: expected a whole number of at least 1"),
        (
            ["--out", "graph.json", "generation.block_length=1"],
            "generation.block_length=1, generation.steps=None: nothing to draft",
        ),
    ],
)
def test_what_cannot_work_is_refused(words, message, checkpoints, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        main([*short_words(checkpoints["llada"], "llada", tmp_path), "--graph", *words])
    assert not (tmp_path / "graph.json").exists()


def test_a_word_that_run_py_does_not_know_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["calibrate_spiffy.py", "--out", "graph.json", "model=lada"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(REPOSITORY / "scripts" / "calibrate_spiffy.py"), run_name="__main__")
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: model=lada: expected one of ")


def test_a_prior_is_fitted_and_used(checkpoints, tmp_path, capsys):
    file = tmp_path / "prior.json"
    words = [*short_words(checkpoints["llada"], "llada", tmp_path / "results"), "runtime.limit=2"]
    main([*words, "task.seed=7", "--out", str(file)])
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith(f"{file}: fitted to ")
    assert [line.split("  ")[0] for line in shown[3:-1]] == ["chain", "built-in prior", "calibrated prior", "oracle"]
    stored = json.loads(file.read_text())
    told = stored["calibrated_on"]
    assert (told["model"]["path"], told["task"]["seed"]) == (str(checkpoints["llada"]), 7)
    assert (told["prompts"], told["held_out"], told["generation"]["block_length"]) == (1, 1, 8)
    assert all(row["reached"] >= 1 for row in stored["held_out"])

    used = [*words, "decoder=ssd", "decoder.builder=best_first", f"decoder.prior={file}"]
    first = make_plan(composed(*used))
    assert first.decoder.new_draft_state().pick_model.weights == read_prior(file)
    file.write_text(file.read_text().replace('"queue": 3.05', '"queue": 3.06'))
    assert make_plan(composed(*used)).config["decoder"]["fingerprints"] != first.config["decoder"]["fingerprints"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("runtime.limit=1", "runtime.limit=1: expected at least 2 prompts, half for the fit and half held out"),
        ("generation.ranking=random", "generation.ranking=random: the order of picks is known without a prior"),
        ("generation.block_length=2", "nothing to fit: no step has a choice"),
    ],
)
def test_a_prior_that_cannot_be_fitted_is_refused(word, message, checkpoints, tmp_path):
    file = tmp_path / "prior.json"
    with pytest.raises(ValueError, match=message):
        main([*short_words(checkpoints["llada"], "llada", tmp_path), word, "--out", str(file)])
    assert not file.exists()


@pytest.mark.parametrize("model", SHIPPED)
def test_the_shipped_graphs_were_not_calibrated_on_the_prompts_that_runs_report(model):
    file = REPOSITORY / "checkpoints" / model / "draft_graph.json"
    told = json.loads(file.read_text())["calibrated_on"]
    reported = composed(f"model={model}", "task=tiny_math")
    assert told["model"]["path"] == reported.model.path
    assert told["task"]["seed"] != reported.task.seed
    assert told["generation"] == {name: reported.generation[name] for name in told["generation"]}
    asked = {document.question for document in make_plan(composed(f"task.seed={told['task']['seed']}")).documents}
    assert asked.isdisjoint(document.question for document in make_plan(reported).documents)
    assert file.stat().st_size < 10_000
    (used,) = make_plan(composed(f"model={model}", "decoder=spiffy")).decoder.files()
    assert used.resolve() == file
    assert len(DraftGraph.read(file).nodes) == 16


def test_a_model_from_the_hub_needs_a_graph_of_its_own():
    with pytest.raises(FileNotFoundError, match=r"decoder.graph=GSAI-ML/\S+/draft_graph.json: no such file; make one"):
        make_plan(composed("model=llada", "decoder=spiffy"))
