"""Results folders as run.py leaves them, made up in milliseconds: the same files, keys and bookkeeping, no model.

write_results(root)                                  a campaign: finished, untimed, failed and unfinished runs
write_run(root, "ssd", options={"depth": 4})         one run; returns its folder
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import yaml

from ssd.metrics.summary import summarise
from tests.report.lines import BLOCK_LENGTH, GEN_LENGTH, sample_line, sides_of

LOSSY = ("fast_dllm", "apd", "wino")
DECODERS: dict[str, dict[str, Any]] = {
    "stepwise": {},
    "ssd": {"depth": 8, "width": None, "budget": None, "builder": "chain"},
    "freedave": {"draft_steps": 4},
    "spiffy": {"depth": 8, "width": None, "budget": 11, "builder": "spiffy"},
    "psd": {"depth": 8, "threshold": 0.9},
    "fast_dllm": {"rule": "threshold", "threshold": 0.9},
    "wino": {"threshold": 0.7},
    "apd": {"mixture_weight": 0.5, "max_lookahead": 100},
}
ENVIRONMENT = {
    "python": "3.11.7", "platform": "Linux", "libraries": {"torch": "2.13.0", "transformers": "5.23.0"},
    "device": "cuda", "device_name": "NVIDIA H100 80GB HBM3", "cuda": "13.0", "threads": 8,
    "attention_backend": "sdpa", "commit": "a" * 40, "dirty": False, "changes": None, "checkpoint": "0" * 16,
    "protection": None,
}  # fmt: skip
UNTIMED_SIDE = ("latency_s", "time_s", "model_s", "verifier_s", "predicted_s")
UNTIMED_PAIRS = ("tokens_per_s", "ms_per_forward", "verifier_s")
UNTIMED_RANKS = ("latency_s", "reference_latency_s")


def write_results(root: Path, prompts: int = 12) -> None:
    """Write runs of eight decoders in two groups, a grid of trees with traces, a chain of hops and other runs.

    The others are untimed, unfinished, failed, or another machine's. Some folders are no runs.
    """
    for name, (model, task) in product(DECODERS, (("llada_tiny", "tiny_math"), ("dream_tiny", "tiny_mbpp"))):
        write_run(root, name, model, task, prompts=prompts, differing=prompts // 4 if name in LOSSY else 0)
    for depth, width in product((1, 2, 4, 16), (1, 2)):
        options = {"depth": depth, "width": width, "builder": "kary"}
        write_run(root, "ssd", options=options, prompts=prompts, traces=True)
    write_run(root, "ssd", options={"depth": 2}, prompts=prompts, chain=True)
    write_run(root, "ssd", options={"depth": 3}, prompts=prompts, timed=False)
    write_run(root, "ssd", options={"depth": 5}, prompts=prompts, environment={"device_name": "NVIDIA A100-SXM4-80GB"})
    write_run(root, "ssd", options={"depth": 6}, prompts=3, status="unfinished")
    write_run(root, "ssd", options={"depth": 7}, prompts=2, status="failed")
    for name in ("references", "published"):
        (root / name).mkdir(exist_ok=True)


def write_run(
    root: Path,
    decoder: str = "ssd",
    model: str = "llada_tiny",
    task: str = "tiny_math",
    *,
    options: Mapping[str, Any] | None = None,
    generation: Mapping[str, Any] | None = None,
    runtime: Mapping[str, Any] | None = None,
    environment: Mapping[str, Any] | None = None,
    prompts: int = 12,
    repeats: int = 1,
    timed: bool = True,
    status: str = "done",
    traces: bool = False,
    chain: bool = False,
    differing: int = 0,
    gain_s: float = 0.0,
    reference: str = "stepwise decoding",
) -> Path:
    """One run's folder under `root`; `prompts` lines are there, whatever its status.

    options, generation, runtime, environment: what differs from this file's configuration and circumstances;
    differing: responses that are not the reference's; gain_s: seconds by which every forward of the decoder is slower
    than plausible; reference: what the decoder is compared with.
    """
    config = _config(decoder, model, task, dict(options or {}), {"timing": timed, "traces": traces, **(runtime or {})})
    config["generation"] |= generation or {}
    config["runtime"] |= {"repeats": repeats, "reference": "chain" if chain else "stepwise"}
    digest = hashlib.sha256(json.dumps([config, environment], default=dict).encode()).hexdigest()
    run_id = f"{decoder}-{model}-{task}-{digest[:10]}"
    folder = root / run_id
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    _write(folder / "environment.json", {"schema": 1, **ENVIRONMENT, **(environment or {})})
    generator = np.random.default_rng(int(digest[:8], 16))
    lines = []
    for index, repeat in product(range(prompts), range(repeats)):
        sides = sides_of(generator, config["decoder"], chain)
        lines.append(sample_line(generator, index, repeat, sides, index < differing, gain_s))
        if traces:
            (folder / "traces").mkdir(exist_ok=True)
            events = {name: sides[name] for name in ("reference", "decoder")}
            _write(folder / "traces" / f"{index:06d}-{repeat}.json", events)
    if status == "done":
        with patch("ssd.metrics.bootstrap.RESAMPLES", 200):
            summary = summarise(config, run_id, reference, None, lines)
        _write(folder / "summary.json", summary if timed else without_times(summary))
        _write(folder / "done.json", {"run_id": run_id, "prompts": prompts})
    elif status == "failed":
        _write(
            folder / "error.json", {"error": "RuntimeError: CUDA error: unspecified launch failure", "traceback": ""}
        )
    for line in lines if not timed else ():
        line["peak_memory_mib"] = None
        for name in ("reference", "decoder"):
            line[name] |= dict.fromkeys(UNTIMED_SIDE)
    (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def without_times(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary of a run under runtime.timing=false."""
    empty = dict.fromkeys(("ratio", "low", "high"))
    hops = summary["hops"] and [{**hop, "speedup": empty} for hop in summary["hops"]]
    pairs = dict.fromkeys(UNTIMED_PAIRS, dict.fromkeys(("reference", "decoder")))
    ranks = dict.fromkeys(UNTIMED_RANKS, dict.fromkeys(("p50", "p90", "p99")))
    none = dict.fromkeys(("outside_model", "predicted_speedup", "peak_memory_mib"))
    return {**summary, **pairs, **ranks, **none, "speedup": empty, "hops": hops}


def _config(decoder: str, model: str, task: str, options: dict[str, Any], runtime: dict[str, Any]) -> dict[str, Any]:
    generation = {"gen_length": GEN_LENGTH, "block_length": BLOCK_LENGTH, "steps": None, "cache": "dual"}
    generation |= {"temperature": 0.0, "confidence_dtype": "float64", "eos": "keep", "seed": 0}
    basis = {"limit": None, "device": "cuda", "dtype": "bfloat16", "numerics": "native", "batch_size": 1, "threads": 8}
    basis["engine"] = "eager"
    return {
        "generation": generation,
        "runtime": {**basis, "predict": True, "pass_at": [1], **runtime},
        "tracker": {"name": "none"},
        "task": {"name": task, "num_fewshot": 0, "sha256": hashlib.sha256(task.encode()).hexdigest()},
        "model": {"name": model, "path": f"checkpoints/{model}", "mask_id": 1, "end_ids": [0]},
        "decoder": {"name": decoder, "lossless": decoder not in LOSSY, **DECODERS.get(decoder, {}), **options},
        "results_dir": "results",
        "overwrite": False,
    }


def _write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content))
