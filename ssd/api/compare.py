"""Compare a decoder with its reference on a few prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ssd.api.comparison import Comparison, mean
from ssd.api.decode import DEFAULT_DECODER, Response, fitting, require_model, response_of
from ssd.api.load import LoadedModel
from ssd.api.presets import default_runtime
from ssd.api.prompts import Prompt, shown
from ssd.audit.compare import Audit
from ssd.audit.divergence import Divergence
from ssd.audit.float64 import ExactModel
from ssd.config.runtime import Runtime
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.canvas import check_prompt
from ssd.decoding.decoder import Decoder
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.extras import extra
from ssd.measure.timing import Question, Stopwatch
from ssd.run.device_lock import device_lock, say_first
from ssd.tasks.task import Document

_DTYPES = {"acceptance_length": "float64", "divergence_position": "Int64", "divergence_class": "string"}
"""Types of the columns that may have no value."""


@dataclass(frozen=True)
class _Sides:
    """What is compared, as `Stopwatch` takes it."""

    decoder: Decoder
    reference: BlockDecoder
    settings: GenerationSettings
    special: SpecialTokens
    runtime: Runtime


def compare(
    model: LoadedModel,
    prompts: Sequence[Prompt],
    decoder: Decoder | str | None = None,
    reference: BlockDecoder | str | None = None,
    settings: GenerationSettings | None = None,
    *,
    chat: bool | None = None,
    **changes: Any,
) -> Comparison:
    """Return how a decoder compares with its reference on some prompts, timed as runs are timed.

    Both sides decode every prompt one after the other, after a warm-up on the longest prompt, and take turns at going
    first. All responses are timed before the first one is audited. reference: a decoder without drafts (None: the
    decoder's own, mostly `Stepwise()`); the other arguments: as for `decode`. Needs pandas.
    Raises ValueError in one line, ModuleNotFoundError without pandas.

    >>> ssd.compare(model, ["What is 3 + 4?", "What is 5 + 4?"], ssd.FastDLLM(threshold=0.8)).identity_rate
    0.5
    """
    with extra("report"):
        import pandas as pd
    require_model(model)
    if isinstance(prompts, str | bytes) or not isinstance(prompts, Sequence) or not prompts:
        raise ValueError('prompts: expected a list of at least one prompt, as ["What is 3 + 4?"]')
    ids = [model.prompt_ids(prompt, chat) for prompt in prompts]
    longest = max(ids, key=len)
    chosen = fitting(model, settings, changes, len(longest))
    by = model.decoder(DEFAULT_DECODER if decoder is None else decoder)
    against = model.decoder(reference or by.reference or "stepwise")
    if not isinstance(against, BlockDecoder) or against.most_nodes > 1:
        raise ValueError(f"reference={against!r}: expected a decoder without drafts, such as Stepwise() or FastDLLM()")
    for prompt in ids:
        check_prompt(prompt, chosen, model.special, model.config)
    sides = _Sides(by, against, chosen, model.special, default_runtime())
    references, responses = _timed(model, sides, ids)
    exact = ExactModel(model.model) if by.most_nodes > 1 and by.caveat(chosen) is None else None
    audit = Audit(model.model, chosen, model.special, against.commit, exact, reference=against)
    with device_lock(model.model.device, exclusive=False, owner="ssd.compare", tell=say_first):
        divergences = [
            audit.compare(expected.prompt_ids, expected.decoded, found.decoded, by)
            for expected, found in zip(references, responses, strict=True)
        ]
    rows = map(_row, map(shown, prompts), references, responses, divergences)
    frame = pd.DataFrame(list(rows)).astype(_DTYPES)
    return Comparison(frame, references, responses, divergences)


def _timed(model: LoadedModel, sides: _Sides, ids: Sequence[list[int]]) -> tuple[list[Response], list[Response]]:
    """Return both sides' responses to all prompts, decoded while no other timed run uses the device."""
    questions = [Question(Document(index, "", "", ""), prompt, 0) for index, prompt in enumerate(ids)]
    with device_lock(model.model.device, exclusive=True, owner="ssd.compare", tell=say_first):
        for side in (sides.reference, sides.decoder):
            model.prepare(side, sides.settings, max(map(len, ids)))
        stopwatch = Stopwatch.of(sides, model.model)
        try:
            stopwatch.warm_up(max(questions, key=lambda question: len(question.prompt)))
            timed = stopwatch.decode(questions, [{} for _ in questions])
        finally:
            stopwatch.close()
    found: dict[str, list[Response]] = {"reference": [], "decoder": []}
    for prompt, responses in zip(ids, timed, strict=True):
        for name, decoder in (("reference", sides.reference), ("decoder", sides.decoder)):
            decoded, latency_s = responses[name].decoded, responses[name].latency_s
            assert latency_s is not None  # runtime.timing is true
            found[name].append(response_of(model, decoder, sides.settings, prompt, decoded, latency_s))
    return found["reference"], found["decoder"]


def _row(prompt: str, reference: Response, response: Response, divergence: Divergence | None) -> dict[str, Any]:
    """Return one row of the frame."""
    return {
        "prompt": prompt,
        "reference_nfe": reference.nfe,
        "nfe": response.nfe,
        "reference_latency_s": reference.latency_s,
        "latency_s": response.latency_s,
        "speedup": reference.latency_s / response.latency_s,
        "acceptance_length": mean(response.acceptance_lengths),
        "identical": divergence is None,
        "divergence_position": divergence.index if divergence else None,
        "divergence_class": divergence.verdict if divergence else None,
    }
