"""What the forward of a draft leaves on the device for the next step: that of one node."""

from weakref import ref

import pytest

from baselines.psd import ParallelSelfSpeculative
from baselines.rules.klass import KLASS
from ssd.decoding import scoring
from ssd.decoding.path_memory import compare
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from tests.restless import restless_model


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_a_step_keeps_logits_and_distributions_of_one_node(family, monkeypatch, temperature):
    """Those of all drafted nodes are gone when the next forward begins, and what is kept is no view of them."""
    made, kept, alive, score = [], [], [], DecodeSession.score

    def compared(*arguments):
        largest, stability = compare(*arguments)
        made.extend([ref(stability)] if len(stability.logs) > 1 else [])
        return largest, stability

    def scored(session, logits, *arguments):
        made.extend([ref(logits)] if not temperature or len(logits) > 1 else [])  # sampling keeps those of one node
        return score(session, logits, *arguments)

    class Watched(ParallelSelfSpeculative):
        def draft(self, session, current):
            kept.append(current.scores.memory.stability.logs)
            kept.extend([current.scores.kept.values] if temperature else [])
            return super().draft(session, current)

    model = restless_model(family, sharpness=4.0)
    model.transformer.register_forward_pre_hook(lambda *_: alive.extend(each() for each in made))
    monkeypatch.setattr(scoring, "compare", compared)
    monkeypatch.setattr(DecodeSession, "score", scored)
    settings = GenerationSettings(gen_length=16, block_length=16, temperature=temperature)
    decoder = Watched(commit=KLASS(0.3, 0.5), builder="kary", depth=3, budget=9)
    decoder.decode(model, [1, 2, 3], settings, SpecialTokens(mask_id=63, end_ids=(62,)))
    assert alive
    assert {*alive} == {None}
    assert all(len(values) == 1 and values.untyped_storage().nbytes() == values.nbytes for values in kept)
