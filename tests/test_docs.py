"""What the documentation tells its readers to write works, and what it lists exists."""

import importlib.util
import re
import sys
import textwrap

import pytest
import yaml

from baselines.stepwise import Stepwise
from ssd.config.plan import build_decoder
from ssd.decoding.settings import GenerationSettings
from tests.conformance.candidates import NAMES, SPECIAL, Candidate, model_of
from tests.conformance.checks import check_lossless, check_response
from tests.data import REPOSITORY

DECODERS = (REPOSITORY / "docs" / "decoders.md").read_text()


def block(language: str) -> str:
    return textwrap.dedent(re.search(rf"^ *```{language}\n(.*?)```", DECODERS, re.DOTALL | re.MULTILINE)[1])


@pytest.fixture
def added(tmp_path, monkeypatch) -> Candidate:
    """The decoder of docs/decoders.md, built from its YAML as run.py builds it."""
    file = tmp_path / "mine.py"
    file.write_text(block("python"))
    specification = importlib.util.spec_from_file_location("baselines.mine", file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, "baselines.mine", module)
    values = yaml.safe_load(block("yaml"))
    return Candidate(build_decoder(values), values["lossless"])


def test_the_decoder_that_the_documentation_adds_conforms_and_needs_fewer_forwards(added, family):
    forwards = {"reference": 0, "mine": 0}
    for seed in range(4):
        for temperature in (0.0, 0.7):
            settings = GenerationSettings(gen_length=16, block_length=8, temperature=temperature)
            prompt, model = [11, 12, 13, 10 + seed], model_of(family, seed)
            check_lossless(added, model, prompt, settings)
            forwards["mine"] += check_response(added.decoder, model, prompt, settings).trace.nfe
            forwards["reference"] += Stepwise().decode(model, prompt, settings, SPECIAL).trace.nfe
    assert added.lossless
    assert forwards["mine"] < forwards["reference"]


def test_the_table_lists_every_decoder():
    rows = re.findall(r"^\| `(\w+)` \|", DECODERS, re.MULTILINE)
    assert sorted(rows) == NAMES


def test_every_experiment_and_decoder_is_in_the_readme():
    readme = (REPOSITORY / "README.md").read_text()
    experiments = [file.stem for file in (REPOSITORY / "conf" / "experiment").glob("*.yaml")]
    assert [name for name in (*NAMES, *experiments) if f"`{name}`" not in readme] == []


def test_every_option_of_a_decoder_is_explained():
    for name in NAMES:
        options = yaml.safe_load((REPOSITORY / "conf" / "decoder" / f"{name}.yaml").read_text())
        missing = [key for key in options if key not in ("_target_", "name", "lossless") and f"`{key}`" not in DECODERS]
        assert not missing, f"docs/decoders.md does not explain {missing} of {name}"
