"""Files of priors: they survive, they decide the drafts and never the response, and broken ones are one line."""

import json

import pytest

from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings
from ssd.speculation.decoder import SelfSpeculative
from ssd.speculation.pick_model import PRIOR
from ssd.speculation.pick_prior import prior_content, read_prior
from tests.priors import random_prior, random_prior_file
from tests.restless import restless_model
from tests.speculation.test_lossless import SPECIAL

PROMPT = [1, 2, 3]
GENERATION = GenerationSettings(gen_length=24, block_length=12)


def decoded(prior=None):
    decoder = SelfSpeculative(depth=5, builder="best_first", prior=prior)
    return decoder.decode(restless_model("llada", 1), PROMPT, GENERATION, SPECIAL)


@pytest.mark.parametrize("seed", range(5))
def test_a_prior_survives_its_file(seed, tmp_path):
    file = tmp_path / "prior.json"
    file.write_text(prior_content(random_prior(seed), {}, []))
    assert read_prior(file) == random_prior(seed)


def test_the_built_in_prior_from_a_file_gives_the_same_drafts(tmp_path):
    file = tmp_path / "prior.json"
    file.write_text(prior_content(PRIOR, {}, []))
    assert decoded(str(file)).trace == decoded().trace


def test_another_prior_gives_other_drafts_and_the_same_response():
    reference = Stepwise().decode(restless_model("llada", 1), PROMPT, GENERATION, SPECIAL)
    others = [decoded(random_prior_file(seed)) for seed in range(6)]
    assert all(each.response_ids == reference.response_ids for each in others)
    assert all(each.trace.picks == reference.trace.picks for each in others)
    assert len({each.trace.nfe for each in others}) > 1


def test_the_file_is_one_of_the_decoders_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prior.json").write_text(prior_content(random_prior(1), {}, []))
    decoder = SelfSpeculative(builder="best_first", prior="prior.json")
    assert [file.resolve() for file in decoder.files()] == [tmp_path / "prior.json"]
    assert decoder.new_draft_state().pick_model.weights == random_prior(1)


def file_with(**changes) -> str:
    return json.dumps({"format": 1, "weights": PRIOR._asdict()} | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("\xff{", "not a prior"),
        ("[]", 'expected "format": 1'),
        (file_with(format=2), 'expected "format": 1'),
        (file_with(weights=list(PRIOR)), 'expected "weights" with gap, crowd, queue, follows, leans'),
        (file_with(weights={"gap": 1}), 'expected "weights" with gap'),
        (file_with(weights=PRIOR._asdict() | {"level": 1}), 'expected "weights" with gap'),
        (file_with(weights=PRIOR._asdict() | {"gap": "1"}), "weight gap=1: expected a finite number"),
        (file_with(weights=PRIOR._asdict() | {"gap": float("nan")}), "weight gap=nan: expected a finite number"),
        (file_with(weights=PRIOR._asdict() | {"gap": True}), "weight gap=True: expected a finite number"),
    ],
)
def test_a_broken_file_is_one_clear_line(text, message, tmp_path):
    file = tmp_path / "prior.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=message) as caught:
        SelfSpeculative(builder="best_first", prior=str(file))
    assert str(caught.value).startswith(f"decoder.prior={file}: not a prior (")
    assert "make one with ssd-bench calibrate" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_clear_line():
    with pytest.raises(FileNotFoundError, match=r"decoder.prior=no.json: no such file; make one with ssd-bench"):
        SelfSpeculative(builder="best_first", prior="no.json")


@pytest.mark.parametrize("options", [{"builder": "chain"}, {"builder": "kary"}])
def test_a_builder_that_estimates_no_picks_takes_no_prior(options):
    with pytest.raises(ValueError, match=r"decoder.prior=\S+: decoder.builder=\w+ with a fixed depth estimates no"):
        SelfSpeculative(**options, prior=random_prior_file(0))
    assert SelfSpeculative(depth="auto", costs=[[1, 1.0], [8, 1.3]], prior=random_prior_file(0)).files()
