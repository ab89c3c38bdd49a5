"""WINO against a plain reference in lists and loops, against its limits, and against its own trace."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from baselines.stepwise import Stepwise
from baselines.wino import WINO, look_twice
from ssd.decoding.canvas import Canvas
from ssd.decoding.session import DecodeSession
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.decoding.trace import Event, Trace
from ssd.measure.instrumentation import ForwardCounter
from ssd.modeling.checkpoint import load_model
from tests.effort import some
from tests.modeling.reference import reference_model, widen_norms
from tests.models import random_model, tiny_config, write_checkpoint
from tests.restless import restless_model, restless_transformer

MASK = 63
SPECIAL = SpecialTokens(mask_id=MASK, end_ids=(62, 61))
CACHES = ("none", "prefix", "dual")
FICKLE = WINO(threshold=0.2, threshold_back=0.6)
"""Random models often change their minds at these thresholds."""


def prompt_of(seed: int) -> list[int]:
    return torch.randint(0, 60, (4 + seed,), generator=torch.Generator().manual_seed(seed)).tolist()


def sees(reader: tuple[int, bool], other: tuple[int, bool]) -> bool:
    """Whether one member of the expanded sequence sees another; each is a position, and whether a shadow stands there.

    Only shadows see shadows, and they see all tokens but the one they stand for.
    """
    (here, reader_is_shadow), (there, other_is_shadow) = reader, other
    return reader_is_shadow if other_is_shadow else not (reader_is_shadow and here == there)


def two_looks(theirs: PreTrainedModel, canvas: list[int], block: range) -> tuple[list[list[float]], list[list[float]]]:
    """Probabilities [canvas][vocabulary] of all positions, and [block][vocabulary] of the block's shadows."""
    members = [(place, False) for place in range(len(canvas))] + [(place, True) for place in block]
    visible = torch.tensor([[sees(reader, other) for other in members] for reader in members])
    logits = theirs(
        torch.tensor([canvas + [MASK] * len(block)]),
        attention_mask=torch.zeros(visible.shape).double().masked_fill(~visible, -torch.inf)[None, None],
        position_ids=torch.tensor([[place for place, _ in members]]),
        use_cache=False,
    ).logits[0]
    logits[:, MASK] = -torch.inf
    probabilities = logits.softmax(dim=-1).tolist()
    return probabilities[: len(canvas)], probabilities[len(canvas) :]


def naive_wino(
    theirs: PreTrainedModel, prompt: list[int], gen_length: int, block_length: int, threshold: float, back: float
) -> tuple[list[int], list[tuple[list[tuple[int, int]], list[int]]], Counter]:
    """The response, (picks, revoked positions) of every forward, and how often each rule had its say."""
    canvas, forwards, said = prompt + [MASK] * gen_length, [], Counter()
    for start in range(len(prompt), len(canvas), block_length):
        block, accepted_before = range(start, start + block_length), 30
        while MASK in canvas[start : start + block_length]:
            own, shadow = two_looks(theirs, canvas, block)
            masks = [place for place in block if canvas[place] == MASK]
            ranked = sorted(masks, key=lambda place: (-max(own[place]), place))
            passing = [place for place in ranked if max(own[place]) > threshold]
            accepted = passing[: min(max(int(len(masks) * 0.7), 5), 20)] or ranked[:1]
            revoked = []
            if len(accepted) > 1:
                standing = [(shadow[place - start][canvas[place]], place) for place in block if canvas[place] != MASK]
                doubted = [place for probability, place in sorted(standing) if probability < back]
                revoked = doubted if len(doubted) < accepted_before else doubted[: accepted_before - 1]
                said["too many doubted"] += len(revoked) < len(doubted)
            said["too many sure"] += len(accepted) < len(passing)
            said["none sure"] += not passing
            said["full but for the revoked"] += len(accepted) == len(masks) and bool(revoked)
            for place in accepted:
                canvas[place] = own[place].index(max(own[place]))
            for place in revoked:
                canvas[place] = MASK
            picks = [(place - len(prompt), canvas[place]) for place in accepted]
            forwards.append((picks, [place - len(prompt) for place in revoked]))
            accepted_before = len(accepted)
    return canvas[len(prompt) :], forwards, said


@pytest.mark.slow
@pytest.mark.parametrize(("gen_length", "block_length"), [(24, 8), (32, 32)])
def test_uncached_wino_is_the_naive_decoder(gen_length: int, block_length: int, tmp_path: Path) -> None:
    settings = GenerationSettings(gen_length=gen_length, block_length=block_length, cache="none")
    said = Counter()
    for seed in some(range(5), 2):
        folder = write_checkpoint(tmp_path / str(seed), restless_transformer("llada", seed))
        ours = load_model(folder)
        theirs = reference_model(folder, ours.config, torch.float64)
        widen_norms(theirs, ours.config)
        for threshold, back in ((0.1, 0.4), (0.3, 0.95)):
            response, forwards, rules = naive_wino(theirs, prompt_of(seed), gen_length, block_length, threshold, back)
            decoded = WINO(threshold, back).decode(ours, prompt_of(seed), settings, SPECIAL)
            assert decoded.response_ids == response
            found = [([pick[:2] for pick in event.picks], list(event.revoked)) for event in decoded.trace.events]
            assert found == forwards
            said += rules
    assert min(said.values()) > 0
    assert set(said) == {"too many doubted", "too many sure", "none sure", "full but for the revoked"}


def test_ties_by_hand() -> None:
    """A model that likes all tokens alike: lower positions go first, both in and out."""
    model = random_model("llada", sharpness=0.0)
    settings = GenerationSettings(gen_length=8, block_length=8)
    events = WINO(threshold=0.01, threshold_back=0.5).decode(model, [1, 2], settings, SPECIAL).trace.events
    found = [([pick.position for pick in event.picks], list(event.revoked)) for event in events]
    assert found == [
        ([0, 1, 2, 3, 4], []),  # five at least are allowed, and no more of eight masks
        ([5, 6, 7], [0, 1, 2, 3]),  # all five are doubted, fewer than five go
        ([0, 1, 2, 3], [4, 5]),
        ([4, 5], [0, 1, 2]),
        ([0, 1, 2], [3]),
        ([3], []),  # a single token is no occasion to doubt others
    ]
    probability = events[0].picks[0].confidence
    one_by_one = WINO(threshold=probability, threshold_back=0.5).decode(model, [1, 2], settings, SPECIAL).trace
    assert one_by_one.nfe == 8, "a probability at the threshold does not exceed it"


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("ranking", ["low_confidence", "random", "maskgit_plus", "topk_margin", "entropy"])
@pytest.mark.parametrize("eos", ["keep", "suppress_logits", "suppress_confidence"])
def test_where_nothing_is_sure_enough_it_is_stepwise_decoding(cache: str, ranking: str, eos: str) -> None:
    special = SpecialTokens(MASK, tuple(range(40)))
    settings = GenerationSettings(
        gen_length=16, block_length=4, cache=cache, ranking=ranking, eos=eos, stop="eos_block", top_p=0.9
    )
    for seed in some(range(3), 3, len(ranking)):
        model = restless_model("llada", seed)
        reference = Stepwise().decode(model, prompt_of(seed), settings, special)
        decoded = WINO(threshold=1.01).decode(model, prompt_of(seed), settings, special)
        assert decoded.response_ids == reference.response_ids
        assert [pick[:2] for pick in decoded.trace.picks] == [pick[:2] for pick in reference.trace.picks]
        assert decoded.trace.nfe_by_kind == reference.trace.nfe_by_kind
        assert decoded.trace.filled == reference.trace.filled


def test_a_stop_after_a_block_of_end_tokens() -> None:
    special, model = SpecialTokens(MASK, tuple(range(60))), restless_model("llada")
    settings = GenerationSettings(gen_length=16, block_length=2, stop="eos_block")
    decoded = FICKLE.decode(model, prompt_of(0), settings, special)
    whole = FICKLE.decode(model, prompt_of(0), replace(settings, stop="none"), special)
    decided = 16 - decoded.trace.filled
    assert 0 < decided < 16
    assert decoded.response_ids == whole.response_ids[:decided] + [0] * decoded.trace.filled


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("ranking", ["low_confidence", "random", "entropy"])
@pytest.mark.parametrize("eos", ["keep", "suppress_confidence"])
def test_the_trace_tells_the_response_and_the_forwards(cache: str, ranking: str, eos: str) -> None:
    special, length, block_length = SpecialTokens(MASK, tuple(range(9))), 24, 12
    settings = GenerationSettings(gen_length=length, block_length=block_length, cache=cache, ranking=ranking, eos=eos)
    revoked = 0
    for seed in some(range(4), 2, len(ranking)):
        model, prompt = restless_model("llada", seed), prompt_of(seed)
        counter = ForwardCounter(model.transformer)
        decoded = FICKLE.decode(model, prompt, settings, special)
        assert counter.forwards == decoded.trace.nfe
        assert FICKLE.decode(model, prompt, settings, special) == decoded
        assert MASK not in decoded.response_ids
        assert replayed(decoded.trace) == dict(enumerate(decoded.response_ids))
        for block in range(length // block_length):
            check_forwards([event for event in decoded.trace.events if event.block == block], settings, len(prompt))
        revoked += sum(len(event.revoked) for event in decoded.trace.events)
    assert revoked


def replayed(trace: Trace) -> dict[int, int]:
    """Tokens by position, after all that was committed and taken back."""
    response = {}
    for event in trace.events:
        for position in event.revoked:
            del response[position]
        for pick in event.picks:
            assert pick.position not in response
            response[pick.position] = pick.token
    return response


def check_forwards(events: list[Event], settings: GenerationSettings, prompt_length: int) -> None:
    """The forwards of one block: the opening one is plain, all others carry shadows, and none is wasted."""
    whole, start = prompt_length + settings.gen_length, prompt_length + events[0].block * settings.block_length
    window = {"none": whole, "prefix": whole - start, "dual": settings.block_length}[settings.cache]
    opened = "decode" if window == whole else "refresh"
    sizes = [(event.kind, event.nodes, event.rows) for event in events]
    assert sizes == [(opened, 1, whole)] + [("decode", 1, window + settings.block_length)] * (len(events) - 1)
    assert len(events) <= settings.block_length
    assert not events[0].revoked
    for before, event in zip([None, *events], events, strict=False):
        assert 1 <= len(event.picks) <= 8  # 12 masks allow 8 picks, fewer masks allow fewer
        assert not event.revoked or (len(event.picks) > 1 and len(event.revoked) < len(before.picks))


@pytest.mark.parametrize("eos", ["keep", "suppress_logits", "suppress_confidence"])
def test_a_shadow_judges_the_token_that_stands_there(eos: str) -> None:
    """Its probability is the stepping rule's own: without the mask and, by the eos policy, without end tokens."""
    special, model = SpecialTokens(MASK, (5, 6)), restless_model("llada")
    settings = GenerationSettings(gen_length=8, block_length=8, cache="none", eos=eos)
    canvas = Canvas([1, 2, 3], settings, special)
    canvas.tokens[4:9] = torch.tensor([5, 6, 7, 8, 9])
    (block,) = canvas.blocks(settings, 0)
    state = canvas.tokens[block.start : block.stop]
    scores = look_twice(DecodeSession.start(model, canvas, [1, 2, 3], settings), block, state, None)
    logits = model.window_with_shadow(canvas.tokens, block.window).clone()
    logits[..., {"keep": [MASK], "suppress_logits": [MASK, 5], "suppress_confidence": [MASK, 5, 6]}[eos]] = -torch.inf
    expected = logits.softmax(dim=-1)[1, range(8), state]
    torch.testing.assert_close(scores.other_probability[1], expected, rtol=1e-12, atol=0)
    assert (scores.other_probability[1] > 0).sum() == {"keep": 5, "suppress_logits": 4, "suppress_confidence": 3}[eos]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, "decoder.threshold=0: expected a number above 0"),
        ({"threshold": float("nan")}, "decoder.threshold=nan"),
        ({"threshold": True}, "decoder.threshold=True"),
        ({"threshold": "high"}, "decoder.threshold=high"),
        ({"threshold_back": -0.1}, "decoder.threshold_back=-0.1: expected a number of at least 0"),
        ({"threshold_back": None}, "decoder.threshold_back=None"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WINO(**options)


def test_what_it_cannot_decode_is_refused() -> None:
    for family, settings, message in (
        ("dream", GenerationSettings(), "decoder=wino with model family dream: .* choose a model such as llada"),
        ("llada", GenerationSettings(temperature=0.5), "generation.temperature=0.5: .* pass generation.temperature=0"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            FICKLE.check(settings, tiny_config(family))
        assert "\n" not in str(caught.value)
    FICKLE.check(GenerationSettings(), tiny_config("llada"))
