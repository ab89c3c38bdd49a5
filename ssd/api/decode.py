"""Decode one prompt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from ssd.api.load import LoadedModel
from ssd.api.presets import changed
from ssd.api.prompts import Prompt, shown
from ssd.api.viewer import Viewer, viewer_of
from ssd.decoding.canvas import check_prompt
from ssd.decoding.decoder import Decoded, Decoder
from ssd.decoding.settings import GenerationSettings
from ssd.decoding.trace import Trace
from ssd.measure import clock
from ssd.run.device_lock import device_lock, say_first
from ssd.tasks.prompts import response_text

DEFAULT_DECODER = "ssd"


@dataclass(frozen=True, eq=False, repr=False)
class Response:
    """A response; made by `decode`. A notebook shows it in the trace viewer.

    text: before the first end token, without special tokens; ids: of all gen_length positions; trace: one event per
    forward; latency_s: wall-clock seconds, without warm-up (see `compare` for speedups).
    """

    text: str
    ids: list[int]
    trace: Trace
    latency_s: float
    prompt_ids: list[int]
    settings: GenerationSettings
    decoder: Decoder
    model: LoadedModel = field(repr=False)

    def __repr__(self) -> str:
        return (
            f"Response({shown(self.text)!r}, {len(self.ids)} tokens in {self.nfe} forwards, {self.latency_s:.3g} s, "
            f"{type(self.decoder).__name__})"
        )

    @property
    def nfe(self) -> int:
        """Number of forwards of the model."""
        return self.trace.nfe

    @property
    def acceptance_lengths(self) -> list[int]:
        """Tokens committed per forward that checked drafts, bonus included; empty for a decoder without drafts."""
        return self.trace.acceptance_lengths(len(self.ids))

    @property
    def decoded(self) -> Decoded:
        """Ids and trace as decoders return them."""
        return Decoded(self.ids, self.trace)

    def viewer(self) -> Viewer:
        """Return the trace viewer's page for this response."""
        title = f"{type(self.decoder).__name__} on {self.model.name}"
        samples = [(self.prompt_ids, {"decoder": self.decoded}, None)]
        return viewer_of(self.model, self.settings, title, None, type(self.decoder).__name__, samples)

    def _repr_html_(self) -> str:
        return self.viewer()._repr_html_()


def decode(
    model: LoadedModel,
    prompt: Prompt,
    decoder: Decoder | str | None = None,
    settings: GenerationSettings | None = None,
    *,
    chat: bool | None = None,
    **changes: Any,
) -> Response:
    """Return the response to one prompt.

    prompt: a text, chat messages or ids; chat: whether a text becomes a user's message in the chat template (None: if
    the model has learned one); decoder: an object, or a name of conf/decoder/ (None: SSD); settings: None takes the
    model's own; changes: settings to replace, such as gen_length=64, block_length=32, cache="dual".

    The model's own gen_length is cut to whole blocks that fit behind the prompt; a given one is not.
    Raises ValueError in one line.

    >>> ssd.decode(model, "What is 3 + 4?", ssd.Stepwise(), gen_length=32).nfe
    32
    """
    require_model(model)
    ids = model.prompt_ids(prompt, chat)
    chosen = fitting(model, settings, changes, len(ids))
    by = model.decoder(DEFAULT_DECODER if decoder is None else decoder)
    check_prompt(ids, chosen, model.special, model.config)
    device = model.model.device
    with device_lock(device, exclusive=False, owner="ssd.decode", tell=say_first):  # a timed run has the device alone
        model.prepare(by, chosen, len(ids))
        decoded, latency_s = clock.timed(lambda: by.decode(model.model, ids, chosen, model.special), device)
    return response_of(model, by, chosen, ids, decoded, latency_s)


def require_model(model: object) -> None:
    """Raise ValueError for anything but a loaded model."""
    if not isinstance(model, LoadedModel):
        name = repr(model) if isinstance(model, str) else "NAME"
        raise ValueError(f"model={model!r:.60}: expected a loaded model; pass ssd.load({name})")


def fitting(
    model: LoadedModel, settings: GenerationSettings | None, changes: dict[str, Any], prompt_length: int
) -> GenerationSettings:
    """Return the settings of a call; the model's own gen_length is cut to the blocks that fit behind the prompt."""
    chosen = changed(model.settings if settings is None else settings, changes)
    free = model.config.context_length - prompt_length
    is_given = settings is not None or "gen_length" in changes or "steps" in changes
    if is_given or chosen.gen_length <= free or free < chosen.block_length:
        return chosen
    return replace(chosen, gen_length=free // chosen.block_length * chosen.block_length)


def response_of(
    model: LoadedModel,
    decoder: Decoder,
    settings: GenerationSettings,
    ids: list[int],
    decoded: Decoded,
    latency_s: float,
) -> Response:
    """Return a decoder's result as a response."""
    text = response_text(model.tokenizer, decoded.response_ids, model.special.end_ids)
    return Response(text, decoded.response_ids, decoded.trace, latency_s, ids, settings, decoder, model)
