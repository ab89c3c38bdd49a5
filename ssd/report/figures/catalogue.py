"""Every figure of a report, with a caption of one sentence and the runs that it needs."""

from __future__ import annotations

from ssd.report.figures import (
    acceptance,
    accuracy_forwards,
    confidence,
    decoding_maps,
    latency,
    option_lines,
    order_maps,
    pareto,
    prediction,
    published,
    reference_chain,
    speed,
    tree_grid,
)
from ssd.report.figures.entry import Entry
from ssd.report.needs import CONFIDENCES, DRAFTING, FINISHED, PUBLISHED, TIMED, TRACED

FIGURES: tuple[Entry, ...] = (
    Entry(
        "speed",
        "Speedup and forwards by decoder",
        "How many times less wall-clock time and how many times fewer forwards than the reference each decoder takes.",
        FINISHED,
        speed.draw,
    ),
    Entry(
        "pareto",
        "Accuracy against speedup",
        "Each run's accuracy against its speedup; the dotted front joins the runs that no other one beats in both.",
        TIMED,
        pareto.draw,
    ),
    Entry(
        "accuracy-forwards",
        "Accuracy against forwards",
        "Each lossy run's accuracy against its forwards; a line joins the runs of a decoder that differ in options.",
        "two runs of decoders that are not lossless, such as decoder=fast_dllm",
        accuracy_forwards.draw,
    ),
    Entry(
        "tree-speedup",
        "Speedup over depth and width",
        "Wall-clock speedup by how many steps ahead a decoder drafts and how many continuations each node has.",
        "two timed runs that differ in decoder.depth or decoder.width alone",
        tree_grid.draw_speedup,
    ),
    Entry(
        "tree-forwards",
        "Forwards over depth and width",
        "How many times fewer forwards than the reference, by depth and width of the draft tree.",
        "two runs that differ in decoder.depth or decoder.width alone",
        tree_grid.draw_forwards,
    ),
    Entry(
        "option-lines",
        "Speedup over an option",
        "Wall-clock speedup over the number in which a decoder's runs differ most, such as depth or threshold.",
        "two timed runs of a decoder that differ in one number, such as decoder.depth",
        option_lines.draw,
    ),
    Entry(
        "acceptance-depth",
        "Acceptance by depth",
        "The share of the drafted nodes at each depth that verification accepted.",
        DRAFTING,
        acceptance.draw_by_depth,
    ),
    Entry(
        "acceptance-lengths",
        "Acceptance lengths",
        "How many tokens a verification committed, the bonus included, as a share of all verifications.",
        DRAFTING,
        acceptance.draw_lengths,
    ),
    Entry(
        "acceptance-confidence",
        "Acceptance against confidence",
        "How often a drafted node was accepted, by the least confidence among its drafted picks.",
        f"{DRAFTING}, with runtime.traces=true",
        confidence.draw,
    ),
    Entry(
        "prediction",
        "Predicted against measured speedup",
        "The speedup that each run's forwards and their measured cost predict, against the speedup that was measured.",
        f"{TIMED} with runtime.predict=true",
        prediction.draw,
    ),
    Entry(
        "identity",
        "Identity along the reference chain",
        "The share of responses that a cache, a decoder, and both together leave equal, token for token.",
        FINISHED,
        reference_chain.draw,
    ),
    Entry(
        "latency",
        "Latency",
        "The share of responses that were finished within a number of seconds, by the reference and by the decoder.",
        TIMED,
        latency.draw,
    ),
    Entry(
        "published",
        "Published beside measured",
        "Figures that papers report beside those measured here, for the same model, task, lengths and method.",
        PUBLISHED,
        published.draw,
    ),
    Entry(
        "order-times",
        "Order of commitment",
        "The share of responses in which each position had been committed by each step.",
        TRACED,
        order_maps.draw_times,
    ),
    Entry(
        "order-map",
        "Order of positions",
        "Which position was committed after which, as a share of what followed each position.",
        TRACED,
        order_maps.draw_map,
    ),
    Entry(
        "decoding-map",
        "Directed decoding map",
        "How each step of one response changed the confidences of the positions that were decided before.",
        f"a run with {CONFIDENCES}",
        decoding_maps.draw,
    ),
)
