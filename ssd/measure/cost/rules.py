"""Time what commit rules cost outside the model's forwards, beside the threshold rule."""

from __future__ import annotations

import time
from typing import Any

from baselines.fast_dllm import FastDLLM
from baselines.rules.credit import CreditDecoding
from baselines.rules.eb import EntropyBounded
from baselines.rules.hierarchical import Hierarchical
from baselines.rules.klass import KLASS
from baselines.rules.localleap import LocalLeap
from baselines.rules.threshold import Threshold
from ssd.decoding.settings import GenerationSettings, SpecialTokens
from ssd.measure import clock
from ssd.measure.instrumentation import ForwardTimer
from ssd.modeling.forwards import DiffusionModel

NEVER = 1.1
RULES = {
    "threshold": Threshold(NEVER),
    "eb": EntropyBounded(-1),
    "klass": KLASS(NEVER),
    "credit": CreditDecoding(NEVER),
    "localleap": LocalLeap(NEVER),
    "hierarchical": Hierarchical(NEVER, low=1),
}
"""Each rule with options under which only the first pick passes, so that all make equally many forwards."""
REPEATS = 5


def rule_rows(
    model: DiffusionModel, settings: GenerationSettings, special: SpecialTokens, prompt_length: int
) -> list[dict[str, Any]]:
    """Return a row per commit rule: a response to a prompt of `prompt_length` end tokens.

    outside_ms: per forward, outside the model's forwards, the least of several responses; on a CPU it is processor
    time, which other work on the machine changes little. to_threshold: its ratio to that of the threshold rule.
    """
    now_s = time.process_time if model.device.type == "cpu" else time.perf_counter
    prompt = [special.fill_id] * prompt_length
    timer = ForwardTimer(model.device, model.transformer, model.transformer.head, host_clock_s=now_s)
    outside_ms: dict[str, list[float]] = {name: [] for name in RULES}
    for _ in range(1 + REPEATS):  # the first one warms up
        for name, rule in RULES.items():
            clock.synchronize(model.device)
            timer.take()
            begun_s = now_s()
            trace = FastDLLM(commit=rule).decode(model, prompt, settings, special).trace
            clock.synchronize(model.device)
            outside_ms[name].append((now_s() - begun_s - timer.take()) * 1e3 / trace.nfe)
    timer.remove()
    least = {name: min(values[1:]) for name, values in outside_ms.items()}
    return [{"rule": name, "outside_ms": ms, "to_threshold": ms / least["threshold"]} for name, ms in least.items()]
