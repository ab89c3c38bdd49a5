"""The result of `ssd.compare`: a frame, both sides, and the figures over all prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from ssd.api.decode import Response
from ssd.api.viewer import Viewer, viewer_of
from ssd.audit.divergence import Divergence
from ssd.metrics.bootstrap import ratio_of_sums
from ssd.results.schema import Interval

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """A decoder and its reference on some prompts; made by `compare`.

    frame: one row per prompt; references, responses: both sides, in the prompts' order; divergences: where and why a
    response first differs from the reference's, None where it does not.
    """

    frame: pd.DataFrame
    references: list[Response]
    responses: list[Response]
    divergences: list[Divergence | None]

    @property
    def speedup(self) -> Interval:
        """Ratio of the sums of seconds, with its 95 % interval over prompts: `ratio`, `low`, `high`."""
        return ratio_of_sums(*([side.latency_s for side in sides] for sides in (self.references, self.responses)))

    @property
    def nfe_ratio(self) -> float:
        """Forwards of the reference over forwards of the decoder."""
        return sum(side.nfe for side in self.references) / sum(side.nfe for side in self.responses)

    @property
    def acceptance_length(self) -> float | None:
        """Mean number of tokens committed per forward that checked drafts; None for a decoder without drafts."""
        return mean([length for side in self.responses for length in side.acceptance_lengths])

    @property
    def identity_rate(self) -> float:
        """Share of responses that are token for token the reference's."""
        return sum(divergence is None for divergence in self.divergences) / len(self.divergences)

    @property
    def totals(self) -> str:
        """The four figures above in one line."""
        speedup, accepted = self.speedup, self.acceptance_length
        interval = "" if speedup["low"] is None else f" [{speedup['low']:.2f}, {speedup['high']:.2f}]"
        drafts = "" if accepted is None else f", acceptance length {accepted:.2f}"
        return (
            f"{self.responses[0].decoder!r} compared with {self.references[0].decoder!r}: speedup "
            f"{speedup['ratio']:.2f}{interval}, NFE ratio {self.nfe_ratio:.2f}{drafts}, "
            f"identical {self.identity_rate:.0%} of {len(self.responses)}"
        )

    def __repr__(self) -> str:
        return f"{self.frame.to_string(index=False, float_format='{:.3g}'.format, na_rep='')}\n{self.totals}"

    def _repr_html_(self) -> str:
        table = (
            self.frame.style.hide(axis="index")
            .format(escape="html", na_rep="")
            .format("{:.3g}", subset=["reference_latency_s", "latency_s", "speedup", "acceptance_length"], na_rep="")
        )
        table = table.set_properties(subset=["prompt"], **{"text-align": "left", "white-space": "nowrap"})
        return f"{table.to_html()}<p>{escape(self.totals)}</p>"

    def viewer(self) -> Viewer:
        """Return the trace viewer's page with both sides of every prompt."""
        first, other = self.responses[0], self.references[0]
        reference, decoder = type(other.decoder).__name__, type(first.decoder).__name__
        samples = [
            (found.prompt_ids, {"reference": expected.decoded, "decoder": found.decoded}, divergence)
            for expected, found, divergence in zip(self.references, self.responses, self.divergences, strict=True)
        ]
        title = f"{decoder} and {reference} on {first.model.name}"
        return viewer_of(first.model, first.settings, title, reference, decoder, samples)


def mean(values: Sequence[int]) -> float | None:
    """Return the mean; None of no values."""
    return sum(values) / len(values) if values else None
