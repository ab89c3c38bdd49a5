"""Convert lm-eval's options: --model_args into a plan, a task's generation_kwargs into settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ssd.config.command_line import composed
from ssd.config.plan import Plan, make_plan
from ssd.decoding.settings import GenerationSettings
from ssd.report.labels import value_text
from ssd.tasks.lm_eval_task import stop_words

GROUPS = ("model", "decoder", "generation", "cache", "experiment")
BOS = "task.add_bos"
RUNTIME = ("device", "dtype", "numerics", "batch_size", "threads", "warmup")
SAMPLING = ("temperature", "top_p", "top_k")
DEFAULTS = GenerationSettings()


@dataclass(frozen=True)
class Ending:
    """The end of a response's text: after `max_tokens`, or before the first stop word or end token."""

    max_tokens: int
    stops: list[str]


def plan_from(words: Mapping[str, Any]) -> Plan:
    """Return the plan of --model_args; raise ValueError for a key that is not allowed."""
    for key in words:
        group, _, option = key.partition(".")
        if group not in GROUPS and key != BOS and not (group == "runtime" and option in RUNTIME):
            raise ValueError(
                f"--model_args {key}={words[key]}: expected a key of run.py: {', '.join(GROUPS)}, {BOS} or "
                f"runtime.{{{','.join(RUNTIME)}}}; use lm-eval's flags for tasks, limits and outputs"
            )
    overrides = ["task=lm_eval", *(f"{key}={value_text(value)}" for key, value in words.items())]
    config = composed(overrides)
    # A plan needs a task. lm-eval has its own documents, so this one is never asked.
    stand_in = {"_target_": "ssd.tasks.tiny_math.TinyMath", "name": "lm_eval", "documents": 1}
    config.task = {**stand_in, "add_bos": config.task.add_bos}
    plan = make_plan(config)
    if plan.runtime.batch_size != 1:
        raise ValueError(
            f"runtime.batch_size={plan.runtime.batch_size}: only 1 is supported under lm-eval, which times each "
            "response alone; pass --batch_size 1, or measure batches with run.py"
        )
    return plan


def request_settings(asked: Mapping[str, Any], settings: GenerationSettings) -> tuple[GenerationSettings, Ending]:
    """Return settings and ending of a task's generation_kwargs (with --gen_kwargs); raise ValueError for a conflict."""
    from lm_eval.models.utils import normalize_gen_kwargs

    kwargs: dict[str, Any] = dict(normalize_gen_kwargs(dict(asked), default_max_gen_toks=settings.gen_length))
    max_tokens, sampled = kwargs.pop("max_gen_toks"), kwargs.pop("do_sample")
    stops = stop_words({"until": kwargs.pop("until")})
    unknown = sorted(set(kwargs) - set(SAMPLING))
    if unknown:
        raise ValueError(
            f"the task's generation_kwargs ask for {unknown[0]}={kwargs[unknown[0]]}; expected until, max_gen_toks, "
            f"do_sample, {', '.join(SAMPLING)}; run a copy of its YAML without it (--include_path)"
        )
    if not 1 <= max_tokens <= settings.gen_length:
        raise ValueError(
            f"the task's generation_kwargs ask for max_gen_toks={max_tokens}; expected 1 to generation.gen_length="
            f"{settings.gen_length}; pass a longer gen_length in --model_args or --gen_kwargs max_gen_toks="
            f"{settings.gen_length}"
        )
    if sampled:
        # As in transformers: the default temperature is 1, and a top_k of 0 means none.
        wanted = {"temperature": 1.0, **kwargs}
        wanted |= {"top_k": wanted["top_k"] or None} if "top_k" in wanted else {}
    else:
        wanted = {"temperature": 0.0} if {"do_sample", "temperature"} & set(asked) else {}
    for name, value in wanted.items():
        own = getattr(settings, name)
        if own not in (value, getattr(DEFAULTS, name)):
            raise ValueError(
                f"generation.{name}={own} in --model_args or the model's preset, but the task's generation_kwargs ask "
                f"for {value}; pass --gen_kwargs do_sample=true,{name}={own}, or generation.{name}={value} in "
                "--model_args"
            )
    return replace(settings, **wanted), Ending(max_tokens, stops)
