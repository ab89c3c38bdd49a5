"""What every decoder owes its users. Each check raises AssertionError and knows nothing of the decoder's inside."""

from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager

import torch

from ssd.decoding.decoder import Decoded, Decoder
from ssd.decoding.settings import GenerationSettings, prompt_in_first_block
from ssd.decoding.trace import Event, Trace
from ssd.measure.instrumentation import ForwardCounter
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.forward_input import ForwardInput, with_stored
from tests.conformance.candidates import SPECIAL, Candidate


def check_response(
    decoder: Decoder, model: MaskedDiffusionModel, prompt: Sequence[int], settings: GenerationSettings
) -> Decoded:
    """Complete, explained by its trace, and honestly counted; the prompt as the model sees it is never touched."""
    with watched(model, prompt) as seen:
        verifier = ForwardCounter(decoder.verifier) if decoder.verifier is not None else None
        decoded = decoder.decode(model, prompt, settings, SPECIAL)
    trace = decoded.trace
    check_explained(decoded, settings)
    for event in trace.events:
        assert event.kind == "verifier" or event.picks or event.stored, "a forward that commits and stores nothing"
        assert event.kind == "verifier" or event.nodes <= decoder.most_nodes, "more nodes than most_nodes"
        assert len(event.drafted) == len(event.accepted)
        assert all(accepted <= drafted for drafted, accepted in zip(event.drafted, event.accepted, strict=True))
    assert [shapes_of(event) for event in trace.events if event.kind != "verifier"] == seen
    assert trace.nfe_by_kind["verifier"] == (verifier.forwards if verifier else 0)
    if decoder.in_block_order:
        before = prompt_in_first_block(len(prompt), settings.block_length, settings.grid)
        blocks = [(pick.position + before) // settings.block_length for pick in trace.picks]
        assert blocks == sorted(blocks), "a pick outside the current block"
    return decoded


def check_explained(decoded: Decoded, settings: GenerationSettings) -> None:
    """Replaying the trace gives the response: only masks are filled, and only what is said to be revoked is masked."""
    trace, response = decoded.trace, {}
    for event in trace.events:
        for position in event.revoked:
            del response[position]
        for pick in event.picks:
            assert pick.position not in response, "a committed token was touched"
            assert pick.token != SPECIAL.mask_id
            response[pick.position] = pick.token
    filled = range(settings.gen_length - trace.filled, settings.gen_length)
    assert not response.keys() & set(filled)
    response |= dict.fromkeys(filled, SPECIAL.fill_id)
    assert [response.get(place) for place in range(settings.gen_length)] == decoded.response_ids


def check_deterministic(
    decoder: Decoder, model: MaskedDiffusionModel, prompt: Sequence[int], settings: GenerationSettings
) -> None:
    """The same response and trace again, whatever was decoded in between."""
    first = decoder.decode(model, prompt, settings, SPECIAL)
    decoder.decode(model, [*prompt, 9], settings, SPECIAL)
    again = decoder.decode(model, prompt, settings, SPECIAL)
    assert (again.response_ids, again.trace) == (first.response_ids, first.trace)


def check_lossless(
    candidate: Candidate,
    model: MaskedDiffusionModel,
    prompt: Sequence[int],
    settings: GenerationSettings,
    decoded: Decoded | None = None,
) -> None:
    """The reference's response, committed in the reference's order, with no more forwards than it needs.

    decoded: what the decoder gave for this prompt, if a check has decoded it already.
    """
    reference = candidate.reference.decode(model, prompt, settings, SPECIAL)
    if decoded is None:
        decoded = candidate.decoder.decode(model, prompt, settings, SPECIAL)
    assert decoded.response_ids == reference.response_ids
    assert decoded.trace.filled == reference.trace.filled
    assert steps_of(decoded.trace, reference.trace) == steps_of(reference.trace, reference.trace)
    assert decoded.trace.nfe <= reference.trace.nfe


def steps_of(trace: Trace, reference: Trace) -> list[Counter]:
    """The picks of a trace, cut into sets as large as the reference's steps: within a step there is no order."""
    picks, sets = [pick[:2] for pick in trace.picks], []
    for event in reference.events:
        sets.append(Counter(picks[: len(event.picks)]))
        del picks[: len(event.picks)]
    return [*sets, Counter(picks)]


def shapes_of(event: Event) -> list[tuple[int, int]]:
    """What a forward of this event reads: the full blocks that it stores, and its nodes."""
    return [shape for shape in ((1, event.stored), (event.nodes, event.rows)) if shape[1]]


@contextmanager
def watched(model: MaskedDiffusionModel, prompt: Sequence[int]):
    """The shapes of what every forward of the transformer reads, by a hook that looks for the prompt in it."""
    seen: list[list[tuple[int, int]]] = []
    expected = torch.tensor(prompt)

    def look(_: torch.nn.Module, inputs: tuple[Sequence[ForwardInput]]) -> None:
        parts = with_stored(*inputs)
        seen.append([tuple(part.tokens.shape) for part in parts])
        for tokens, start in ((part.tokens, part.start) for part in parts):
            inside = tokens[:, : max(0, len(prompt) - start)]
            assert torch.equal(inside, expected[start : start + inside.shape[1]].expand_as(inside)), (
                "the prompt changed"
            )

    hook = model.transformer.register_forward_pre_hook(look)
    try:
        yield seen
    finally:
        hook.remove()
