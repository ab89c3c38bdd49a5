"""The table of a grid: every run a row, told apart by what differs."""

from ssd.report.console.grid_table import Run, circumstances, labels, print_comparison


def make_run(
    decoder, accuracy=1.0, reference="stepwise decoding", task="tiny_math", generation=None, environment=None, **options
) -> Run:
    config = {
        "decoder": {"name": decoder, **options},
        "generation": {"cache": "dual", "ranking": "entropy"} | (generation or {}),
        "runtime": {"dtype": "float32"},
    }
    summary = {
        "model": "llada_tiny",
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


def test_every_run_is_a_row_and_another_reference_is_said(capsys):
    print_comparison([make_run("ssd", 0.965), make_run("psd", reference="stepwise decoding, threshold 0.9")])
    output = capsys.readouterr().out
    row = next(line for line in output.splitlines() if " ssd " in line)
    for figure in ("96.5%", "32.0", "1234", "2.25", "2.00 (1.50 to 2.50)", "100.0%"):
        assert figure in row
    assert "psd *" in output
    assert "* compared with stepwise decoding, threshold 0.9" in output
    assert max(map(len, output.splitlines())) <= 132


def test_runs_of_several_tasks_name_theirs(capsys):
    print_comparison([make_run("ssd"), make_run("ssd", task="gsm8k")])
    output = capsys.readouterr().out
    assert any("llada_tiny" in line and "gsm8k" in line and "ssd" in line for line in output.splitlines())
    assert "2 runs of tiny_math, gsm8k" in output


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
    assert [line.count("†") for line in output.splitlines() if "depth=" in line] == [0, 0, 1]
    assert output.splitlines()[-1].startswith("† measured under other circumstances than most: commit: c0ffee → beef")


def test_what_a_grid_varies_on_purpose_is_no_other_circumstance():
    runs = [make_run("ssd", environment={"device": device, "threads": 1}) for device in ("cpu", "cuda")]
    runs = [run._replace(config={**run.config, "runtime": {"device": run.environment["device"]}}) for run in runs]
    assert circumstances(runs) == ["", ""]
