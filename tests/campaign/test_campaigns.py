"""conf/experiment, the campaigns: one word each, over options that exist; the rest is left to model and task."""

import itertools
import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from ssd.config.plan import make_plan
from ssd.decoding.cache_options import caches_of
from ssd.decoding.cache_policy import POLICIES
from ssd.results.run_id import run_id
from tests.data import REPOSITORY, project_files
from tests.effort import some
from tests.runs import composed

FILES = [file for file in project_files("conf/experiment/*.yaml") if "hydra" in OmegaConf.load(file)]
each_campaign = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def jobs(file: Path, *words: str) -> list[list[str]]:
    """The words of every job, later words winning over the campaign's own."""
    params = dict(OmegaConf.load(file).hydra.sweeper.params) | dict(word.split("=", 1) for word in words)
    columns = [[f"{key}={value}" for value in str(values).split(",")] for key, values in params.items()]
    return [list(job) for job in itertools.product(*columns)]


def test_there_are_campaigns() -> None:
    assert {"tree_grid", "cache_grid", "decoders"} <= {file.stem for file in FILES}


@each_campaign
def test_its_command_stands_in_the_second_line(file: Path) -> None:
    header, command = file.read_text().splitlines()[:2]
    assert header == "# @package _global_"
    assert command == f"# python run.py -m experiment={file.stem} model=llada_tiny task=tiny_math"


@each_campaign
@pytest.mark.slow
def test_all_its_runs_can_be_planned_and_no_two_are_the_same(file: Path) -> None:
    words = [f"experiment={file.stem}", "model=llada_tiny", "task=tiny_math", "runtime.limit=1"]
    plans = [make_plan(composed(*words, *job)) for job in jobs(file)]
    assert len({run_id(plan.config) for plan in plans}) == len(plans) > 1
    swept = {key.partition(".")[0] for key in OmegaConf.load(file).hydra.sweeper.params}
    untouched = {"generation", "runtime"} - swept
    default = make_plan(composed("model=llada_tiny", "task=tiny_math", "runtime.limit=1")).config
    assert all(plan.config[group] == default[group] for plan in plans for group in untouched)


@each_campaign
@pytest.mark.slow
def test_the_words_that_it_proposes_can_be_planned(file: Path) -> None:
    for added in re.findall(r": \+ (.*)$", file.read_text(), re.MULTILINE):
        for job in some(jobs(file, *added.split()), 5):
            make_plan(composed(f"experiment={file.stem}", "model=llada_tiny", *job, "runtime.limit=1"))


def test_the_campaigns_have_all_decoders_and_all_commit_rules() -> None:
    swept = [
        OmegaConf.load(REPOSITORY / "conf" / "experiment" / f"{name}.yaml").hydra.sweeper.params.decoder.split(",")
        for name in ("decoders", "rules")
    ]
    assert sorted({*swept[0], *swept[1]}) == [file.stem for file in project_files("conf/decoder/*.yaml")]
    assert set(swept[1]) - {"fast_dllm"} == {file.stem for file in project_files("conf/decoder/commit/*.yaml")}


def test_the_caches_are_all_over_which_models_with_full_attention_verify_drafts() -> None:
    swept = OmegaConf.load(REPOSITORY / "conf" / "experiment" / "caches.yaml").hydra.sweeper.params
    drafted = [cache for cache in caches_of("prompt") if POLICIES[cache].accepts_drafts]
    assert sorted(swept["generation.cache"].split(",")) == sorted(drafted)
