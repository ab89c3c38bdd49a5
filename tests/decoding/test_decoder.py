"""Decoders print themselves with their options, and draft from the logits of the accepted state."""

import pytest
import torch

from baselines.fast_dllm import FastDLLM
from baselines.freedave import FreeDave
from baselines.psd import ParallelSelfSpeculative
from baselines.stepwise import Stepwise
from ssd.decoding.draft import Draft
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.speculation.decoder import SelfSpeculative
from tests.effort import LONG
from tests.restless import restless_model

SPECIAL = SpecialTokens(mask_id=63, end_ids=(62,))
DRAFTING = {
    "chain": lambda: SelfSpeculative(4),
    "best_first": lambda: SelfSpeculative(4, builder="best_first", budget=12, alternatives=True),
    "freedave": lambda: FreeDave(5),
    "psd": lambda: ParallelSelfSpeculative(threshold=0.9, depth=4),
}


@pytest.mark.parametrize(
    ("decoder", "expected"),
    [
        (Stepwise(), "Stepwise()"),
        (
            FastDLLM("factor", factor=2.0),
            "FastDLLM(rule='factor', threshold=0.9, factor=2.0, scope='block', candidates=None, commit=None)",
        ),
        (
            SelfSpeculative(4, builder=None, width=3),
            "SelfSpeculative(depth=4, width=3, budget=None, builder='best_first', alternatives=False, graph=None, "
            "costs=None, lookahead=0, prior=None)",
        ),
    ],
)
def test_a_decoder_prints_its_options(decoder, expected):
    assert repr(decoder) == expected


@pytest.mark.parametrize("temperature", [0.0, 0.8])
@pytest.mark.parametrize("name", DRAFTING)
def test_drafts_are_made_from_the_logits_of_the_last_accepted_state(name, temperature, family):
    """Drafts from another node's logits lose acceptance alone: no response shows them."""
    decoder, accepted = DRAFTING[name](), []
    accept, draft = decoder.accept, decoder.draft

    def watched_accept(session, made, next_states, next_steps):
        path = accept(session, made, next_states, next_steps)
        accepted.append((path[-1], Draft(made.states[path[-1:]], made.steps[path[-1:]], (0,))))
        return path

    def watched_draft(session, current):
        steps = torch.tensor([current.step, current.step + 1])
        _, alone = session.evaluate(accepted[-1][1], current.block, None)
        found, expected = (
            session.rule.foresee(scores, steps, current.block, session.runner_up) for scores in (current.scores, alone)
        )
        for field in ("token", "confidence", "other_token", "other_probability"):
            difference = (getattr(found, field) - getattr(expected, field))[:, current.masked]
            assert difference.abs().max() < 1e-9, f"{field} after {len(accepted)} forwards"
        return draft(session, current)

    decoder.accept, decoder.draft = watched_accept, watched_draft
    settings = GenerationSettings(gen_length=24, block_length=12, cache="none", temperature=temperature)
    for seed in range(4 if LONG else 2):
        decoder.decode(restless_model(family, seed, sharpness=6.0), [1, 2, 3], settings, SPECIAL)
    assert any(node for node, _ in accepted), "no draft was accepted: the test compares nothing"
