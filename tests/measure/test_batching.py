"""Several responses at once are, in float64, the responses one by one; forwards and seconds are divided among them."""

import random
import threading
import time
from functools import partial

import pytest
import torch

from baselines.stepwise import Stepwise
from ssd.decoding.settings import GenerationSettings
from ssd.measure.batching import ContinuousBatcher
from ssd.measure.instrumentation import ForwardCounter
from tests.conformance.candidates import LINES, SPECIAL, accepts, candidate, small_model
from tests.effort import LONG, examples
from tests.generations import drawn
from tests.models import FAMILIES

# APD asks a second model besides, and WINO takes one family only.
BATCHED = [
    (family, line)
    for place, line in enumerate(line for line in LINES if "=apd" not in line)
    for family in FAMILIES
    if (family == "llada" if "=wino" in line else LONG or family == FAMILIES[place % 2])
]
"""Every decoder with one family, families in turn; in a long run with both."""


def prompts_of(generator: random.Random, count: int) -> list[list[int]]:
    """Prompts of unequal length."""
    return [[generator.randrange(5, 12) for _ in range(generator.randint(1, 9))] for _ in range(count)]


def jobs_of(decoder, prompts, settings):
    return [
        partial(lambda prompt, model: decoder.decode(model, prompt, settings, SPECIAL), prompt) for prompt in prompts
    ]


@pytest.mark.parametrize(("family", "line"), BATCHED)
@pytest.mark.slow
def test_a_batch_gives_what_its_prompts_give_alone(family, line):
    decoder, generator = candidate(line, family).decoder, random.Random(f"{family} {line}")
    tried = 0
    while tried < examples(4):
        settings = drawn(generator)
        if not accepts(decoder, settings, family):
            continue
        tried += 1
        model = small_model(family, tried)
        prompts = prompts_of(generator, 4)
        shares = ContinuousBatcher(model).run(jobs_of(decoder, prompts, settings), size=3)
        for share, prompt in zip(shares, prompts, strict=True):
            alone = decoder.decode(model, prompt, settings, SPECIAL)
            assert share.result.response_ids == alone.response_ids
            assert [event._replace(picks=()) for event in share.result.trace.events] == [
                event._replace(picks=()) for event in alone.trace.events
            ]


def test_forwards_are_shared_and_counted_once():
    model, settings = small_model("llada", 0), GenerationSettings(gen_length=8, block_length=4)
    counter = ForwardCounter(model.transformer)
    shares = ContinuousBatcher(model).run(jobs_of(Stepwise(), prompts_of(random.Random(0), 6), settings), size=3)
    assert [share.result.trace.nfe for share in shares] == [8] * 6
    assert counter.forwards == 16, "three at a time, in step with each other"
    assert [share.forwards for share in shares] == pytest.approx([8 / 3] * 6)


def test_a_response_that_comes_late_joins_the_forwards_of_the_others_and_pays_its_part_of_each():
    """Lengths differ, so that places become free one by one; the last response has the model to itself."""
    model = small_model("llada", 0)
    counter = ForwardCounter(model.transformer)
    jobs = [
        partial(
            lambda length, model: Stepwise().decode(
                model, [7], GenerationSettings(gen_length=length, block_length=length), SPECIAL
            ),
            length,
        )
        for length in (2, 6, 4, 2, 3)
    ]
    shares = ContinuousBatcher(model).run(jobs, size=2)
    # Two places: 2 | 4 | 2 in one, 6 | 3 in the other, or the last two the other way round.
    assert counter.forwards == 9
    assert [share.forwards for share in shares] == pytest.approx([1, 3, 2, 1, 1 + 1])


def test_seconds_add_up_to_the_wall_clock():
    model, settings = small_model("dream", 0), GenerationSettings(gen_length=8, block_length=8)
    shared = ContinuousBatcher(model)
    started_s = time.perf_counter()
    shares = shared.run(jobs_of(Stepwise(), prompts_of(random.Random(0), 7), settings), size=3)
    wall_s = time.perf_counter() - started_s
    total_s = sum(share.time_s for share in shares)
    assert 0 < total_s <= wall_s
    assert max(share.latency_s for share in shares) <= total_s
    assert all(share.latency_s > share.time_s for share in shares[:6]), "three share what passes while one is decoded"


def fail(model):
    raise FloatingPointError("no number")


@pytest.mark.parametrize("place", [0, 2, 4])
def test_one_failure_ends_the_batch_with_its_own_error(place):
    model, settings = small_model("llada", 0), GenerationSettings(gen_length=8, block_length=8)
    jobs = jobs_of(Stepwise(), prompts_of(random.Random(0), 5), settings)
    jobs[place] = fail
    before = threading.active_count()
    with pytest.raises(FloatingPointError, match="no number"):
        ContinuousBatcher(model).run(jobs, size=2)
    assert threading.active_count() == before
    assert ContinuousBatcher(model).run(jobs_of(Stepwise(), [[7]], settings), size=2), "the model still works"


def test_a_forward_that_fails_ends_the_batch_with_its_own_error(monkeypatch):
    model, settings = small_model("llada", 0), GenerationSettings(gen_length=8, block_length=8)
    shared = ContinuousBatcher(model)
    forwards = iter(range(5))

    def scarce(*_):
        if next(forwards, None) is None:
            raise torch.OutOfMemoryError("full")

    handle = model.transformer.register_forward_pre_hook(scarce)
    try:
        with pytest.raises(torch.OutOfMemoryError, match="full"):
            shared.run(jobs_of(Stepwise(), prompts_of(random.Random(0), 5), settings), size=3)
    finally:
        handle.remove()
