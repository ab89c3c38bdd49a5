"""Checks before a forward is spent: the model is the described one, prompts fit, stored lines belong to the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ssd.config.plan import Plan
from ssd.config.special_ids import check_tokenizer
from ssd.decoding.canvas import check_prompt
from ssd.modeling.checkpoint import load_tokenizer, read_config
from ssd.modeling.config import ModelConfig
from ssd.results.reader import name_of, place_of
from ssd.tasks.prompts import render, sha256_of_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Prepared(NamedTuple):
    """What the checkpoint's small files give: tokenizer, shape, and the prompt ids of every document."""

    tokenizer: PreTrainedTokenizerBase
    shape: ModelConfig
    prompts: list[list[int]]


def prepare(plan: Plan, model_path: Path) -> Prepared:
    """Read tokenizer and shape and render every prompt. Raises ValueError if the plan does not fit the checkpoint."""
    shape = check_model(plan, read_config(model_path, plan.settings.causal_block))
    plan.decoder.check_all(plan.settings, shape)
    if plan.decoder.needs_verifier and plan.runtime.batch_size > 1:
        raise ValueError(
            f"runtime.batch_size={plan.runtime.batch_size}: a verifier's forwards are not shared; pass "
            f"runtime.batch_size=1 for decoder={plan.config['decoder']['name']}"
        )
    tokenizer = load_tokenizer(model_path)
    check_tokenizer(model_path, tokenizer, plan.special)
    return Prepared(tokenizer, shape, render_all(plan, tokenizer, shape))


def check_model(plan: Plan, model: ModelConfig) -> ModelConfig:
    """Return the model's shape with the configured context length. Raises ValueError if special ids disagree."""
    special, name = plan.special, plan.config["model"]["name"]
    if special.mask_id != model.mask_id or special.fill_id not in model.end_ids:
        ends = ",".join(map(str, model.end_ids))
        raise ValueError(
            f"model.mask_id={special.mask_id}, model.end_ids={list(special.end_ids)} of {name} disagree with the "
            f"checkpoint's config.json (mask {model.mask_id}, EOS {ends}); pass model.mask_id={model.mask_id} "
            f"'model.end_ids=[{ends}]' (further end ids behind), or write them into a file of conf/model/"
        )
    limit = plan.config["model"]["context_length"]
    return replace(model, context_length=min(limit, model.context_length))


def render_all(plan: Plan, tokenizer: PreTrainedTokenizerBase, model: ModelConfig) -> list[list[int]]:
    """Return the prompt ids of every document. Raises ValueError, naming the document, for one that does not fit."""
    prompts = []
    for document in plan.documents:
        prompt = render(tokenizer, plan.task, document, plan.examples, plan.task.chat)
        try:
            check_prompt(prompt, plan.settings, plan.special, model)
        except ValueError as error:
            raise ValueError(f"{plan.task.name}, document {document.index}: {error}") from error
        prompts.append(prompt)
    return prompts


def check_scoring(plan: Plan) -> str | None:
    """Judge the first document's own solution; return what protects this machine from code, None without code.

    The sandbox is closed again: no process of it runs while responses are timed.
    """
    with closing(plan.task) as task:
        protection = task.protection()
        if protection:
            print(f"{task.name} runs what the model writes, inside {protection}")
        task.rehearse(plan.documents[0])
    return protection


def check_stored(file: Path, stored: Sequence[dict[str, Any]], plan: Plan, prompts: Sequence[Sequence[int]]) -> None:
    """Raise ValueError if stored lines were measured on other prompts than those of this run, or are stored twice."""
    expected = {document.index: sha256_of_ids(prompt) for document, prompt in zip(plan.documents, prompts, strict=True)}
    places = Counter(map(place_of, stored))
    twice = next((place for place, count in places.items() if count > 1), None)
    if twice:
        numbers = [str(number) for number, line in enumerate(stored, start=1) if place_of(line) == twice]
        raise ValueError(
            f"{file}: {name_of(*twice)} is stored twice, in lines {' and '.join(numbers)}; were two runs' files "
            "joined? delete one of the lines and repeat the run's command, or add repair=true to it; it keeps the first"
        )
    for line in stored:
        if line["prompt_sha256"] != expected.get(line["index"]):
            raise ValueError(
                f"{file}: sample {line['index']} was measured on another prompt; did the task's file or the "
                "tokenizer change? pass overwrite=true to measure anew, or another results_dir"
            )
