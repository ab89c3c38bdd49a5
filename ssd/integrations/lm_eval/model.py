"""The model `ssd` of lm-eval: a dLLM with one of our decoders, which answers and times generate_until requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, NoReturn

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM, CacheHook
from lm_eval.api.registry import register_model
from tqdm import tqdm

from ssd.config.runtime import DTYPES
from ssd.config.special_ids import check_tokenizer
from ssd.decoding.canvas import check_prompt
from ssd.decoding.decoder import Decoded
from ssd.decoding.settings import GenerationSettings, Workload
from ssd.integrations.lm_eval.figures import decoding_figures
from ssd.integrations.lm_eval.model_args import Ending, plan_from, request_settings
from ssd.integrations.lm_eval.response_cache import ResponseCache, keep_apart
from ssd.measure import clock
from ssd.measure.engines import as_decoded
from ssd.modeling.checkpoint import load_model, load_tokenizer, read_config, resolve
from ssd.results import environment
from ssd.run.checks import check_model
from ssd.tasks.lm_eval_task import cut_at
from ssd.tasks.prompts import response_text, with_bos

DEFAULT_DEVICE = "cuda:0"
"""lm-eval's default of --device, even on machines without CUDA."""


@dataclass(frozen=True)
class Job:
    """One request: prompt ids, settings and the end of its text."""

    prompt: list[int]
    settings: GenerationSettings
    ending: Ending


@register_model("ssd")
class DecoderModel(LM):
    """A model of lm-eval, built from --model_args. Their keys are those of run.py's command line."""

    made: ClassVar[list[DecoderModel]] = []

    def __init__(self, device: str = DEFAULT_DEVICE, batch_size: int | str = 1, **words: Any) -> None:
        super().__init__()
        chosen = {} if device == DEFAULT_DEVICE else {"runtime.device": device}
        self.plan = plan = plan_from({"runtime.batch_size": batch_size, **chosen, **words})
        self._device = plan.runtime.torch_device()
        if plan.runtime.threads:
            torch.set_num_threads(plan.runtime.threads)
        self.folder = resolve(plan.config["model"]["path"], plan.config["model"]["revision"])
        self.tokenizer = load_tokenizer(self.folder)
        check_tokenizer(self.folder, self.tokenizer, plan.special)
        self.shape = check_model(plan, read_config(self.folder, plan.settings.causal_block))
        plan.decoder.check_all(plan.settings, self.shape)
        model = load_model(self.folder, self._device, DTYPES[plan.runtime.dtype], plan.settings.causal_block)
        self.model = as_decoded(model, plan.runtime.engine, plan.runtime.numerics, plan.reference, plan.decoder)
        plan.decoder.load(self.model, self.folder, plan.settings, Workload())
        self.decoded: list[Decoded] = []
        self.latencies_s: list[float] = []
        self.cache: ResponseCache | None = None
        self.made.append(self)

    def set_cache_hook(self, cache_hook: CacheHook) -> None:
        """Take lm-eval's cache, and keep its responses apart from those of other configurations."""
        super().set_cache_hook(cache_hook)
        if cache_hook.dbdict is not None:
            self.cache = keep_apart(cache_hook.dbdict, self.plan.config, self._environment())

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Return the text of every request. First check all requests, and warm the device up with the longest."""
        seen: Counter[tuple[object, ...]] = Counter()
        jobs = []
        for request in requests:
            key = (request.task_name, request.doc_id, request.idx)
            jobs.append(self._job(request, repeat=seen[key]))
            seen[key] += 1
        for _ in range(self.plan.runtime.warmup):
            self._decode(max(jobs, key=lambda job: len(job.prompt)))
        texts = []
        for request, job in zip(requests, tqdm(jobs, desc="responses", disable=disable_tqdm), strict=True):
            decoded, latency_s = clock.timed(partial(self._decode, job), self._device)
            self.decoded.append(decoded)
            self.latencies_s.append(latency_s)
            ids = decoded.response_ids[: job.ending.max_tokens]
            texts.append(cut_at(response_text(self.tokenizer, ids, self.plan.special.end_ids), job.ending.stops))
            self.cache_hook.add_partial("generate_until", request.args, texts[-1])
        return texts

    def _job(self, request: Instance, repeat: int) -> Job:
        context, kwargs = request.args
        try:
            settings, ending = request_settings(kwargs, self.plan.settings)
            # A chat's text already begins with the template's BOS; the tokenizer must not add a second one.
            bos = self.tokenizer.bos_token
            prompt = list(self.tokenizer.encode(context, add_special_tokens=not (bos and context.startswith(bos))))
            if self.plan.task.add_bos:
                prompt = with_bos(self.tokenizer, prompt)
            if repeat and settings.is_random and self.cache is not None and not kwargs.get("do_sample"):
                raise ValueError(
                    "--use_cache keeps one response per request, and several are sampled; pass --gen_kwargs "
                    "do_sample=true, which leaves the cache out, or no --use_cache"
                )
            check_prompt(prompt, settings, self.plan.special, self.shape)
        except ValueError as error:
            raise ValueError(f"{request.task_name}, document {request.doc_id}: {error}") from error
        # The seed determines the noise, so repeats of a request need different seeds.
        return Job(prompt, replace(settings, seed=settings.seed + repeat), ending)

    def _decode(self, job: Job) -> Decoded:
        return self.plan.decoder.decode(self.model, job.prompt, job.settings, self.plan.special)

    def loglikelihood(self, requests: list[Instance]) -> NoReturn:
        raise ValueError(
            f"{requests[0].task_name} compares likelihoods, which a decoder cannot compute; expected generate_until "
            "tasks; pass others as --tasks"
        )

    loglikelihood_rolling = loglikelihood

    def apply_chat_template(self, chat_history: Sequence[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Return the chat as text, as run.py renders it. Without a generation prompt, the last turn stays open."""
        text = self.tokenizer.apply_chat_template(
            list(chat_history),
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
        )
        return str(text)

    def chat_template(self, chat_template: bool | str = False) -> str:
        """Return the tokenizer's chat template, for lm-eval's results; raise ValueError if it has none."""
        if not self.tokenizer.chat_template or chat_template is not True:
            raise ValueError(
                f"--apply_chat_template {chat_template}: expected no name, and a model with a chat template; "
                f"{self.plan.config['model']['name']} has {'one' if self.tokenizer.chat_template else 'none'}"
            )
        return self.tokenizer.chat_template

    @property
    def tokenizer_name(self) -> str:
        """Return the name under which lm-eval caches rendered requests."""
        return str(self.folder).replace("/", "__")

    def get_model_info(self) -> dict[str, Any]:
        """Return figures, configuration and environment for lm-eval's results. lm-eval calls this at its end."""
        groups = ("model", "decoder", "generation", "runtime")
        return {
            "decoding": self.decoding(),
            "from_cache": self.from_cache,
            "add_bos": self.plan.task.add_bos,
            "composed": {group: self.plan.config[group] for group in groups},
            "environment": self._environment(),
        }

    def _environment(self) -> dict[str, Any]:
        return environment.describe(self._device, self.folder, self.plan.runtime.engine)

    @property
    def from_cache(self) -> int:
        """Return the number of responses that came from lm-eval's cache and were not decoded."""
        return self.cache.given if self.cache is not None else 0

    def decoding(self) -> dict[str, float]:
        """Return the decoding figures so far; empty if nothing was decoded."""
        return decoding_figures(self.decoded, self.latencies_s)
