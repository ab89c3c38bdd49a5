"""From the words of a grid's line to its runs: what composes, what is refused, and in which words."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from ssd.campaign import start
from ssd.campaign.planned_run import Grid
from tests.lines import folders

RESULTS = Path("results")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["decoder=stepwise,ssd", "decoder.depth=4,8"],
            "Split it by decoder into two lines, which share their results: -m decoder=stepwise",
        ),
        (
            ["decoder=wino,eb", "decoder.threshold_back=0.8"],
            "error: 1 of 2 runs do not compose, as decoder=eb decoder.threshold_back=0.8 (decoder.threshold_back is "
            "not an option; expected one of scope, commit); nothing was started. Split it by decoder into two lines",
        ),
        (
            ["decoder=ssd,stepwise", "decoder.commit.low=0.8"],
            "as decoder=ssd decoder.commit.low=0.8 (decoder.commit.low is not an option; expected one of depth, width",
        ),
        (
            ["decoder=psd,wino", "decoder/commit=eb"],
            "(decoder/commit=eb: expected one of decoder=fast_dllm, freedave, psd",
        ),
        (
            ["decoder=stepwise,fast_dllm", "decoder.threshold=0.8"],
            "as decoder=stepwise decoder.threshold=0.8 (decoder.threshold is not an option; this decoder has no "
            "options); nothing was started. Split it by decoder into two lines",
        ),
        (["decoder=ssd,wino", "runtime.sped=4"], "error: runtime.sped is not an option; expected one of limit, device"),
        (["decoder.depht=4,8"], "decoder.depht=4 "),
        (["decoder=ssd,nope"], "spiffy, ssd, stepwise, wino); nothing was started. Mend that word"),
        (["decoder.depth=interval(1,5)"], "a grid takes values with commas, or range(...), not intervals"),
    ],
)
def test_what_does_not_compose_is_refused_before_anything_starts(line, words, message):
    status, output, errors = line("-m", *words)
    assert status == 1
    assert errors.startswith("error: ")
    assert message in errors
    assert (errors.count("\n"), output) == (0, "")
    assert not RESULTS.exists()


@pytest.mark.slow
def test_a_value_that_all_runs_share_is_for_the_choices_of_each_run(line):
    words = ("decoder=psd", "decoder/commit=hierarchical,localleap", "decoder.commit.threshold=0.8")
    status, output, errors = line("-m", "runtime.timing=false", "runtime.limit=1", *words)
    assert status == 0, errors
    begun = [text.partition(" (")[0] for text in output.splitlines() if text.startswith("run ")]
    assert begun == ["run 1 of 2: psd commit=hierarchical", "run 2 of 2: psd commit=localleap"]
    configs = [OmegaConf.load(folder / "config.yaml") for folder in folders(RESULTS)]
    assert [config.decoder.commit.threshold for config in configs] == [0.8, 0.8]


@pytest.fixture
def planned(line, monkeypatch):
    """Returns the values of a decoder's option in the runs that a line of a grid plans; none of them starts."""
    grids = []

    def stop(grid: Grid) -> None:
        grids.append(grid)
        raise ValueError("planned")

    monkeypatch.setattr(start, "_announce", stop)

    def call(option, *words):
        assert line(*words).errors == "error: planned"
        configs = [OmegaConf.create(run.config) for run in grids.pop().runs]
        return [OmegaConf.select(config, f"decoder.{option}") for config in configs]

    return call


@pytest.mark.parametrize(
    ("words", "option", "values"),
    [
        (["decoder=fast_dllm,psd", "decoder.threshold=0.8"], "threshold", [0.8] * 2),
        (["decoder=klass,localleap", "decoder.commit.threshold=0.8"], "commit.threshold", [0.8] * 2),
        (["decoder=psd,fast_dllm", "decoder/commit=hierarchical", "decoder.commit.low=0.8"], "commit.low", [0.8] * 2),
        (["--config-dir=own", "experiment=two", "decoder.threshold=0.8"], "threshold", [0.8] * 2),
        (["--config-dir", "./a=b", "decoder=psd,wino", "decoder.threshold=0.8"], "threshold", [0.8] * 2),
        (
            ["--config-dir=own", "experiment=rules", "generation.cache=none", "decoder.scope=global"],
            "scope", ["global"] * 6,
        ),
        (["experiment=klass_llada,klass_dream", "decoder.commit.threshold=0.8"], "commit.threshold", [0.8] * 2),
        (
            [
                "decoder=psd,fast_dllm", "decoder/commit=klass", "decoder.commit={threshold: 0.5}",
                "decoder.commit.threshold=0.6,0.7",
            ],
            "commit.threshold", [0.6, 0.7, 0.6, 0.7],
        ),
    ],
)  # fmt: skip
def test_a_value_that_all_runs_share_needs_no_default_choice_that_has_it(planned, words, option, values):
    for name in ("own/experiment", "./a=b"):
        Path(name).mkdir(parents=True)
    params = "{hydra: {sweeper: {params: {decoder: 'psd,wino'}}}}"
    Path("own/experiment/two.yaml").write_text(f"# @package _global_\n{params}\n")
    Path("own/experiment/rules.yaml").write_text("{}\n")  # Hydra takes the one of conf/
    assert planned(option, "-m", *words) == values


def test_a_grid_has_no_words_of_the_grid_before_it(planned):
    assert planned("threshold", "-m", "decoder=psd,wino", "decoder.threshold=0.8") == [0.8, 0.8]
    assert planned("depth", "hydra.mode=MULTIRUN", "decoder.depth=1,2") == [1, 2]


def test_a_refusal_names_the_options_whatever_the_name_of_an_own_folder(line):
    Path("ä[1]").mkdir()
    errors = line("-m", "--config-dir=ä[1]", "decoder=wino,eb", "decoder.threshold_back=0.8").errors
    assert "decoder.threshold_back is not an option; expected one of scope, commit)" in errors


def test_a_campaign_without_m_says_so(line):
    status, output, errors = line("experiment=tree_grid")
    assert (status, output) == (1, "")
    assert errors == (
        "error: this is a campaign over decoder.depth, decoder.width; add -m to the line: python run.py -m ..."
    )


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("decoder.depht=4", "decoder.depht is not an option; did you mean decoder.depth?"),
        ("depth=4", "depth is not an option; did you mean decoder.depth?"),
        ("runtime.sped=4", "runtime.sped is not an option; expected one of limit, device"),
        ("decodr=ssd", "decodr is not an option; did you mean decoder?"),
        ("decoder.dept=3", "decoder.dept is not an option; did you mean decoder.depth?\n"),
        ("decoder=nope", "decoder=nope: expected one of apd, credit, "),
        (
            "decoder.depth=1,2",
            "decoder.depth=1,2: several values make a grid; add -m: python run.py -m decoder.depth=1,2",
        ),
        ("decoder.depth=[1", "decoder.depth=[1: a value with =, brackets or alike needs quotes"),
    ],
)
def test_a_misspelt_word_is_one_line_with_the_nearest_names(line, word, message):
    status, output, errors = line(word)
    assert (status, output, errors.count("\n")) == (1, "", 0)
    assert f"{errors}\n".startswith(f"error: {message}")
