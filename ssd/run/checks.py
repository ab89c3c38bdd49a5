"""What must hold before a forward is spent: the model is the one described, prompts fit, stored samples belong here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ssd.config.plan import Plan
from ssd.decoding.canvas import check_prompt
from ssd.modeling.config import ModelConfig
from ssd.results.store import RunFolder
from ssd.tasks.prompts import render, sha256_of_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def check_model(plan: Plan, model: ModelConfig) -> ModelConfig:
    """The model's shape with the configuration's context length; raises ValueError where ids disagree."""
    special, name = plan.special, plan.config["model"]["name"]
    if special.mask_id != model.mask_id or special.fill_id != model.end_id:
        raise ValueError(
            f"model.mask_id={special.mask_id}, model.end_ids={list(special.end_ids)} of {name} disagree with the "
            f"checkpoint's config.json (mask {model.mask_id}, EOS {model.end_id}); mend conf/model/{name}.yaml"
        )
    limit = plan.config["model"]["context_length"]
    return replace(model, context_length=min(limit, model.context_length))


def check_samples(
    folder: RunFolder, finished: Sequence[dict[str, Any]], plan: Plan, prompts: Sequence[Sequence[int]]
) -> None:
    """Raise ValueError if stored samples were measured on other prompts than those of this run, or are there twice."""
    expected = {document.index: sha256_of_ids(prompt) for document, prompt in zip(plan.documents, prompts, strict=True)}
    places = Counter((sample["index"], sample["repeat"]) for sample in finished)
    twice = [index for (index, _), count in places.items() if count > 1]
    if twice:
        raise ValueError(
            f"{folder.path}: sample {twice[0]} is stored twice; was samples.jsonl put together of two? pass "
            "overwrite=true to measure anew"
        )
    for sample in finished:
        if sample["prompt_sha256"] != expected.get(sample["index"]):
            raise ValueError(
                f"{folder.path}: sample {sample['index']} was measured on another prompt; did the task's file or the "
                "tokenizer change? pass overwrite=true to measure anew, or another results_dir"
            )


def render_all(plan: Plan, tokenizer: PreTrainedTokenizerBase, model: ModelConfig) -> list[list[int]]:
    """The prompt ids of every document, each checked before the first forward is spent."""
    prompts = []
    for document in plan.documents:
        prompt = render(tokenizer, plan.task, document, plan.examples, plan.task.chat)
        try:
            check_prompt(prompt, plan.settings, plan.special, model)
        except ValueError as error:
            raise ValueError(f"{plan.task.name}, document {document.index}: {error}") from error
        prompts.append(prompt)
    return prompts
