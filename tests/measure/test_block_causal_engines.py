"""Block-causal models: all captures are made before decoding begins. Windows of several blocks are not captured."""

import pytest

from baselines.freedave import FreeDave
from baselines.stepwise import Stepwise
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure.engines import capture_all
from ssd.modeling.config import Family
from ssd.modeling.static_shapes import StaticModel
from ssd.speculation.decoder import SelfSpeculative
from tests.modeling.recorded import RecordedGraphs
from tests.models import BLOCK_CAUSAL
from tests.restless import restless_model

SPECIAL = SpecialTokens(mask_id=1, end_ids=(2, 3))
DECODERS = {
    "chain": SelfSpeculative(depth=5),
    "lookahead": SelfSpeculative(depth=5, lookahead=2),
    "eager": FreeDave(6, eager=True),
}


@pytest.mark.parametrize("store", ["fused", "separate"])
@pytest.mark.parametrize("family", BLOCK_CAUSAL)
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.slow
def test_nothing_is_captured_once_decoding_has_begun(decoder: str, family: Family, store: str) -> None:
    settings = GenerationSettings(gen_length=10, block_length=4, grid="absolute", cache="exact", store=store)
    decoding: BlockDecoder = DECODERS[decoder]
    inner, graphs = restless_model(family, vocabulary_size=512, mask_id=1, causal_block=4), RecordedGraphs()
    model = StaticModel(inner, decoding.most_nodes, graphs)
    prompts = [list(range(10, 10 + length)) for length in (4, 7, 13)]
    capture_all(model, settings, SPECIAL, map(len, prompts), decoding.most_nodes)
    before = graphs.captures
    for prompt in prompts:
        for each in (Stepwise(), decoding):
            each.decode(model, prompt, settings, SPECIAL)
    assert graphs.captures == before
    assert graphs.replays > 0
