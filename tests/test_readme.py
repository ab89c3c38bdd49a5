"""The README's own code works."""

import importlib.util
import re

from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from tests.data import REPOSITORY
from tests.restless import restless_model


def test_the_decoder_that_the_readme_adds_is_lossless_and_faster(family, tmp_path):
    code = re.search(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)[1]
    file = tmp_path / "mine.py"
    file.write_text("\n".join(line.removeprefix("   ") for line in code.splitlines()))
    specification = importlib.util.spec_from_file_location("mine", file)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    special = SpecialTokens(mask_id=63, end_ids=(62,))
    forwards = {"reference": 0, "mine": 0}
    for seed in range(4):
        model = restless_model(family, seed)
        settings = GenerationSettings(gen_length=16, block_length=8)
        reference = Stepwise().decode(model, [1, 2, 3, seed], settings, special)
        decoded = module.Mine().decode(model, [1, 2, 3, seed], settings, special)
        assert decoded.response_ids == reference.response_ids
        forwards["reference"] += reference.trace.nfe
        forwards["mine"] += decoded.trace.nfe
    assert forwards["mine"] < forwards["reference"]
