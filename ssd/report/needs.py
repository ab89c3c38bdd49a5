"""The runs that each figure and table needs; without them a report leaves it out."""

from __future__ import annotations

FINISHED = "a finished run"
TIMED = "a timed run (runtime.timing=true, runtime.numerics other than locked)"
TRACED = "a run with runtime.traces=true"
DRAFTING = "a run whose decoder drafts, such as decoder=ssd"
CONFIDENCES = "runtime.confidences=true runtime.traces=true runtime.timing=false"
PUBLISHED = "a run with a decoder, model, task and lengths that results/published has numbers of"
NEEDS = {
    "speed": FINISHED,
    "pareto": TIMED,
    "accuracy-forwards": "two runs of decoders that are not lossless, such as decoder=fast_dllm",
    "tree-speedup": "two timed runs that differ in decoder.depth or decoder.width alone",
    "tree-forwards": "two runs that differ in decoder.depth or decoder.width alone",
    "option-lines": "two timed runs of a decoder that differ in one number, such as decoder.depth",
    "acceptance-depth": DRAFTING,
    "acceptance-lengths": DRAFTING,
    "acceptance-confidence": f"{DRAFTING}, with runtime.traces=true",
    "prediction": f"{TIMED} with runtime.predict=true",
    "identity": FINISHED,
    "latency": TIMED,
    "published": PUBLISHED,
    "order-times": TRACED,
    "order-map": TRACED,
    "decoding-map": f"a run with {CONFIDENCES}",
    "main": FINISHED,
    "policies": "two runs that differ in generation.cache",
    "trees": "two runs of a decoder that differ in decoder.depth, width, budget or builder",
    "forwards": FINISHED,
    "throughput": "two timed runs that differ in runtime.batch_size",
    "reference_chain": "a run with runtime.reference=chain",
    "attribution": f"two runs with {CONFIDENCES} that differ in one thing and share four prompts",
    "projected": f"{TRACED}; ssd-bench project RUN prints why a run with traces is left out",
    "circumstances": FINISHED,
    "left_out": "a run that is unfinished or cannot be read",
}
"""By the name of the figure or table."""
