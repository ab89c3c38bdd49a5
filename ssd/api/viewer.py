"""The trace viewer for responses in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ssd.api.load import LoadedModel
from ssd.audit.divergence import Divergence
from ssd.decoding.decoder import Decoded
from ssd.decoding.settings import GenerationSettings, prompt_in_first_block
from ssd.metrics.response import trace_to_json
from ssd.report.viewer.contents import Data, Decode, page_data, shown_events
from ssd.report.viewer.page import page

HEIGHT_PX = 760
Sample = tuple[Sequence[int], Mapping[str, Decoded], Divergence | None]
"""Prompt ids, what each side decoded, and where the sides part."""


@dataclass(frozen=True, repr=False)
class Viewer:
    """A page of the trace viewer: a notebook shows it, `save` writes it."""

    html: str

    def __repr__(self) -> str:
        return f"Viewer({len(self.html) / 1e3:.0f} kB of HTML; save(FILE) writes it)"

    def _repr_html_(self) -> str:
        """Return a frame with the page in it, whose script runs apart from the notebook's."""
        return (
            f'<iframe srcdoc="{escape(self.html)}" sandbox="allow-scripts" title="trace" '
            f'style="width: 100%; height: {HEIGHT_PX}px; border: 0"></iframe>'
        )

    def save(self, file: str | Path) -> Path:
        """Write the page to a file, and return its path."""
        path = Path(file).expanduser()
        path.write_text(self.html, encoding="utf-8")
        return path


def viewer_of(
    model: LoadedModel,
    settings: GenerationSettings,
    title: str,
    reference: str | None,
    decoder: str,
    samples: Iterable[Sample],
) -> Viewer:
    """Return the page of some responses. reference, decoder: the sides' names."""

    def decode(ids: Sequence[int]) -> str:
        return str(model.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))

    shown = [_sample(index, *sample, settings, decode) for index, sample in enumerate(samples)]
    run = {
        "id": title,
        "decoder": decoder,
        "reference": reference,
        "model": model.name,
        "task": None,
        "block_length": settings.block_length,
        "samples": len(shown),
    }
    return Viewer(page(page_data(run, model.special.end_ids, shown, decode)))


def _sample(
    index: int,
    ids: Sequence[int],
    sides: Mapping[str, Decoded],
    divergence: Divergence | None,
    settings: GenerationSettings,
    decode: Decode,
) -> Data:
    """Return one sample of the page's data."""
    return {
        "index": index,
        "repeat": 0,
        "prompt_in_first_block": prompt_in_first_block(len(ids), settings.block_length, settings.grid),
        "prompt": decode(ids),
        "target": None,
        "identical": divergence is None,
        "divergence": divergence and _place(divergence),
        "sides": {
            name: {
                "ids": decoded.response_ids,
                "text": decode(decoded.response_ids),
                "correct": None,
                "events": shown_events(trace_to_json(decoded.trace), len(decoded.response_ids)),
            }
            for name, decoded in sides.items()
        },
    }


def _place(divergence: Divergence) -> Data:
    """Return where two responses part: the decoder's forward, and the position on either side."""
    positions = dict.fromkeys(("reference", "decoder"), divergence.index)
    return {
        "differs": "response",
        "class": divergence.verdict,
        "forward": divergence.forward,
        "positions": positions,
    }
