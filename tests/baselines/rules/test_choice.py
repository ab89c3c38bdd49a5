"""Every rule of conf/decoder/commit is chosen alike: by its short decoder, by a group, and from Python."""

import pytest
from omegaconf import OmegaConf

from ssd.api import presets
from ssd.config.plan import build_decoder, make_plan
from ssd.results.store import run_id
from tests.data import project_files
from tests.runs import composed

NAMES = [file.stem for file in project_files("conf/decoder/commit/*.yaml")]


def built(*words: str):
    return build_decoder(OmegaConf.to_container(composed(*words), resolve=True)["decoder"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_all_ways_give_one_rule(name):
    short, chosen = built(f"decoder={name}"), built("decoder=fast_dllm", f"decoder/commit={name}")
    assert short.commit == chosen.commit == presets.build_decoder(name, {}).commit
    assert str(short) == str(chosen)
    drafting = built("decoder=psd", f"decoder/commit={name}"), built("decoder=freedave", f"decoder/commit={name}")
    for decoder in drafting:
        assert decoder.commit == decoder.reference.commit == short.commit
    assert short.commit == type(short.commit)(), "the YAML has other defaults than the class"


def test_a_rule_and_its_options_are_part_of_the_id_of_a_run():
    words = (["decoder=fast_dllm"], ["decoder=klass"], ["decoder=klass", "decoder.commit.history=3"], ["decoder=eb"])
    plans = [make_plan(composed(*each)) for each in words]
    assert len({run_id(plan.config) for plan in plans}) == len(words)
    assert len({plan.config["decoder"]["source_sha256"] for plan in plans}) == 3
    with pytest.raises(
        ValueError, match=r"decoder\.commit\._target_=a\.B: no such class .*; mend conf/decoder/commit/"
    ):
        make_plan(composed("decoder=klass", "decoder.commit._target_=a.B"))
