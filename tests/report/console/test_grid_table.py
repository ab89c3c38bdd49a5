"""The table of a grid: every run a row, told apart by what differs."""

import re

import pytest

from ssd.report.console.grid_table import FIGURES, print_comparison
from ssd.report.labels import Run, circumstances, labels, options_that_vary


def make_run(
    decoder,
    accuracy=1.0,
    reference="stepwise decoding",
    task="tiny_math",
    generation=None,
    environment=None,
    model="llada_tiny",
    **options,
) -> Run:
    config = {
        "decoder": {"name": decoder, **options},
        "generation": {"cache": "dual", "ranking": "entropy"} | (generation or {}),
        "runtime": {"dtype": "float32"},
    }
    summary = {
        "model": model,
        "task": task,
        "decoder": decoder,
        "compared_with": reference,
        "speedup": {"ratio": 2.0, "low": 1.5, "high": 2.5},
        "nfe": {"decoder": 32.0},
        "token_rows": {"decoder": 1234.4},
        "tokens_per_forward": {"decoder": 2.0},
        "acceptance_length": {"mean": 2.25, "rate_by_depth": [0.5] if decoder == "ssd" else []},
        "identity": {"rate": 1.0},
        "accuracy": {"decoder": accuracy},
    }
    return Run(config, summary, environment or {})


def test_labels_name_the_options_in_which_runs_of_a_decoder_differ():
    runs = [
        make_run("ssd", depth=4, builder="chain"),
        make_run("ssd", depth=8, builder="chain"),
        make_run("ssd", depth=8, builder="chain", generation={"cache": "prefix"}),
        make_run("stepwise", generation={"ranking": "low_confidence"}),
        make_run("stepwise", task="gsm8k"),
    ]
    assert list(labels(runs)) == [
        "ssd depth=4 generation.cache=dual",
        "ssd depth=8 generation.cache=dual",
        "ssd depth=8 generation.cache=prefix",
        "stepwise",
        "stepwise",
    ]


KLASS = {"_target_": "baselines.rules.klass.KLASS", "threshold": 0.9, "kl_threshold": 0.01}
LOCALLEAP = {"_target_": "baselines.rules.localleap.LocalLeap", "threshold": 0.8, "radius": 4}
OWN = {"_target_": "rules.of.mine.Odds", "odds": 9.0}


def test_a_commit_rule_is_one_word_and_its_options_only_set_runs_of_that_rule_apart():
    rules = [None, KLASS, LOCALLEAP, OWN]
    runs = [make_run("psd", depth=8, commit=commit) for commit in rules]
    assert list(labels(runs)) == ["psd", "psd commit=klass", "psd commit=localleap", "psd commit=Odds"]
    assert options_that_vary(runs) == {"commit": [None, "klass", "localleap", "Odds"]}

    runs.append(make_run("psd", depth=8, commit=KLASS | {"threshold": 0.7}))
    threshold = "psd commit=klass commit.threshold"
    assert list(labels(runs))[1::3] == [f"{threshold}=0.9", f"{threshold}=0.7"]


def test_options_that_vary_have_short_names_where_these_are_clear():
    runs = [make_run("ssd", depth=depth, threshold=None, generation={"seed": depth}) for depth in (4, 8)]
    runs = [run._replace(config={**run.config, "runtime": {"seed": run.config["decoder"]["depth"]}}) for run in runs]
    assert options_that_vary([*runs, make_run("stepwise")]) == {
        "depth": [4, 8, ""],
        "generation.seed": [4, 8, ""],
        "runtime.seed": [4, 8, ""],
    }


def test_every_run_is_a_row_with_what_it_was_compared_with(capsys):
    print_comparison([make_run("ssd", 0.965), make_run("psd", reference="stepwise decoding, threshold 0.9")])
    output = capsys.readouterr().out
    assert output.startswith("2 runs of tiny_math by llada_tiny ")
    row = next(line for line in output.splitlines() if "ssd " in line)
    assert re.split("  +", row.strip()) == [
        "ssd", "96.5%", "32.0", "1234", "2.00", "2.25", "2.00 (1.50 to 2.50)", "100.0%", "stepwise decoding"
    ]  # fmt: skip
    assert next(line for line in output.splitlines() if "psd " in line).endswith("stepwise decoding, threshold 0.9")


@pytest.mark.parametrize("width", [None, 132, 100, 80])
def test_nothing_is_cut_at_any_width(width, capsys, monkeypatch):
    """A grid of depth × width of two models, and a decoder with options of its own."""
    runs = [
        make_run("ssd", depth=depth, width=width, model=model)
        for model in ("llada_tiny", "dream_base_tiny")
        for depth in (1, 16)
        for width in (1, None)
    ]
    long = "/a/folder/whose/name/is/longer/than/a/terminal/is/wide/0123456789/0123456789/graph.json"
    runs += [make_run("spiffy", graph=long), make_run("spiffy", graph=None, reference="stepwise, threshold 0.9")]
    if width:
        monkeypatch.setenv("COLUMNS", str(width))
    print_comparison(runs)
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= (width or 132)
    assert "…" not in output
    for word in " ".join((*FIGURES, "depth width graph model compared with")).split():
        assert re.search(rf"(^|\s){re.escape(word)}(\s|$)", output, re.MULTILINE), f"{word} is cut"
    for text in ("2.00 (1.50 to 2.50)", "dream_base_tiny", "100.0%", "stepwise, threshold 0.9"):
        assert text in output
    folded = [line.split() for line in output.partition("compared")[0].splitlines() if "/" in line]
    assert long in "".join(word for words in folded for word in words if "/" in word or word == "graph.json")
    rows = [line for line in output.splitlines() if re.match(r"\S+ +ssd +(1|16) +(1|null) ", line)]
    assert len(rows) % 8 == 0, "a line per run"


def test_a_grid_of_depth_and_width_is_one_table_in_a_file(capsys):
    print_comparison([make_run("ssd", depth=depth, width=width) for depth in (1, 16) for width in (1, None)])
    output = capsys.readouterr().out
    assert len([line for line in output.splitlines() if line.startswith("ssd ")]) == 4
    assert max(map(len, output.splitlines())) <= 120


def test_runs_of_several_tasks_name_theirs(capsys):
    print_comparison([make_run("ssd"), make_run("ssd", task="gsm8k")])
    output = capsys.readouterr().out
    assert any("gsm8k" in line and "ssd" in line for line in output.splitlines())
    assert "2 runs of tiny_math, gsm8k by llada_tiny" in output


def test_runs_measured_under_other_circumstances_than_most_are_marked(capsys):
    usual = {"commit": "c0ffee", "python": "3.11.9", "libraries": {"torch": "2.13.0", "numpy": "2"}, "platform": "any"}
    runs = [
        make_run("ssd", depth=1, environment=usual),
        make_run("ssd", depth=2, environment=usual | {"platform": "another"}),
        make_run(
            "ssd", depth=3, environment=usual | {"commit": "beef", "libraries": {"torch": "2.14.0", "numpy": "2"}}
        ),
    ]
    assert circumstances(runs) == ["", "", "commit: c0ffee → beef; torch: 2.13.0 → 2.14.0"]
    print_comparison(runs)
    output = capsys.readouterr().out
    assert [line.count("†") for line in output.splitlines() if line.startswith("ssd")] == [0, 0, 1]
    assert output.splitlines()[-1].startswith("† measured under other circumstances than most: commit: c0ffee → beef")


def test_what_a_grid_varies_on_purpose_is_no_other_circumstance():
    runs = [make_run("ssd", environment={"device": device, "threads": 1}) for device in ("cpu", "cuda")]
    runs = [run._replace(config={**run.config, "runtime": {"device": run.environment["device"]}}) for run in runs]
    assert circumstances(runs) == ["", ""]
