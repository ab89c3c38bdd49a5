"""Path memory: what a step leaves on the device for the next one."""

from weakref import ref

from baselines.psd import ParallelSelfSpeculative
from baselines.rules.klass import KLASS
from ssd.decoding import scoring
from ssd.decoding.path_memory import compare
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from tests.restless import restless_model


def test_a_step_keeps_the_distributions_of_one_node(family, monkeypatch):
    """Those of all drafted nodes are gone when the next forward begins, and the kept ones are no view of them."""
    made, kept, nodes, forwards = [], [], [], []

    def recorded(*arguments):
        largest, stability = compare(*arguments)
        nodes.append(len(stability.logs))
        if nodes[-1] > 1:
            made.append(ref(stability))
        return largest, stability

    class Watched(ParallelSelfSpeculative):
        def draft(self, session, current):
            kept.append(current.scores.memory.stability.logs)
            return super().draft(session, current)

    model = restless_model(family, sharpness=4.0)
    model.transformer.register_forward_pre_hook(lambda *_: forwards.append([each() for each in made]))
    monkeypatch.setattr(scoring, "compare", recorded)
    settings = GenerationSettings(gen_length=8, block_length=8)
    decoder = Watched(commit=KLASS(0.3, 0.5), builder="kary", depth=3, budget=9)
    decoder.decode(model, [1, 2, 3], settings, SpecialTokens(mask_id=63, end_ids=(62,)))
    assert max(nodes) > 1
    assert {each for alive in forwards for each in alive} == {None}
    assert all(len(logs) == 1 and logs.untyped_storage().nbytes() == logs.nbytes for logs in kept)
