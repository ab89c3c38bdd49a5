"""The decoding figures of a run of lm-eval, and their print-out."""

from __future__ import annotations

from collections.abc import Sequence

from ssd.decoding.decoder import Decoded


def decoding_figures(decoded: Sequence[Decoded], latencies_s: Sequence[float]) -> dict[str, float]:
    """Return the figures of some responses: nfe is a mean per response, others are ratios of sums.

    Empty without responses.
    """
    if not decoded:
        return {}
    traces = [response.trace for response in decoded]
    tokens = sum(len(response.response_ids) - response.trace.filled for response in decoded)
    forwards = sum(trace.nfe for trace in traces)
    lengths = [
        length for response in decoded for length in response.trace.acceptance_lengths(len(response.response_ids))
    ]
    return {
        "responses": len(traces),
        "nfe": forwards / len(traces),
        "tokens_per_forward": tokens / forwards,
        "tokens_per_s": tokens / sum(latencies_s),
        "acceptance_length": sum(lengths) / len(lengths) if lengths else 1.0,
    }


def print_decoding(decoding: dict[str, float], from_cache: int) -> None:
    """Print decoding figures below lm-eval's report, and the number of responses that they leave out."""
    if not decoding:
        print(f"no response was decoded: all {from_cache} came from lm-eval's cache")
        return
    left_out = f"; {from_cache} others came from lm-eval's cache and were not decoded" if from_cache else ""
    print(f"decoding of {decoding['responses']} responses{left_out}")
    for name, value in decoding.items():
        if name != "responses":
            print(f"  {name.replace('_', ' '):<20}{value:10.2f}")
