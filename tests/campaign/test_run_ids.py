"""A run's id is made of what its result depends on, however a command line spells that."""

import os
from pathlib import Path

import pytest
import torch

from ssd.config.plan import make_plan
from ssd.results.run_id import run_id
from tests.data import REPOSITORY
from tests.runs import composed


def id_of(*words: str) -> str:
    return run_id(make_plan(composed(*words)).config)


@pytest.mark.parametrize(
    ("words", "others"),
    [
        ("decoder.depth=4 decoder.width=1", "decoder.width=1 decoder.depth=4"),
        ("decoder.depth=4 decoder.width=1", "++decoder.width=1 ++decoder.depth=4"),
        ("decoder=ssd generation.cache=prefix", "generation.cache='prefix' decoder=ssd"),
        ("generation.temperature=1", "generation.temperature=1.0"),
        ("generation.temperature=0.1", "generation.temperature=1e-1"),
        ("generation.temperature=0.0", "generation.temperature=0"),
        ("decoder=fast_dllm decoder.threshold=1", "decoder=fast_dllm decoder.threshold=1.00"),
        ("generation.steps=null", "generation.steps=64"),
        ("decoder.width=null", "decoder.width=1"),
        ("decoder.builder=null", "decoder.builder=chain"),
        ("decoder.width=2", "decoder.width=2 decoder.builder=best_first"),
        ("decoder.depth=4", "decoder.depth=4 decoder.budget=5"),
        (
            "decoder.builder=kary decoder.depth=4",
            "decoder.builder=kary decoder.depth=4 decoder.width=2 decoder.budget=9",
        ),
        ("decoder.depth=auto", "decoder.depth=auto decoder.budget=32"),
        ("runtime.limit=null", "runtime.limit=100"),
        ("runtime.device=auto", "runtime.device=" + ("cuda" if torch.cuda.is_available() else "cpu")),
        ("model.path=checkpoints/llada_tiny", f"model.path={REPOSITORY}/checkpoints/../checkpoints/llada_tiny/"),
        (
            "experiment=ssd_paper task=tiny_math",
            "task=tiny_math generation.gen_length=256 generation.block_length=8 generation.cache=dual "
            "generation.eos=keep decoder=ssd task.num_fewshot=0",
        ),
        ("decoder=ssd", "decoder=ssd results_dir=elsewhere overwrite=true tracker=none runtime.pass_at=[1]"),
    ],
)
@pytest.mark.slow
def test_equal_runs_have_equal_ids(words, others):
    assert id_of(*words.split()) == id_of(*others.split())


@pytest.mark.parametrize(
    ("words", "others"),
    [
        ("decoder.depth=4", "decoder.depth=5"),
        ("decoder.depth=4 decoder.budget=4", "decoder.depth=4"),
        ("decoder.builder=best_first", "decoder.builder=best_first decoder.width=1"),
        ("runtime.limit=3", "runtime.limit=4"),
        ("generation.steps=32", "generation.steps=64"),
        ("task.seed=0", "task.seed=1"),
        ("model=llada_tiny", "model=llada_tiny model.path=checkpoints/dream_tiny"),
        ("generation.temperature=1", "generation.temperature=0.999"),
        ("runtime.traces=true", "runtime.warmup=1"),
    ],
)
def test_different_runs_have_different_ids(words, others):
    assert id_of(*words.split()) != id_of(*others.split())


def test_a_checkpoint_in_the_folder_at_hand_is_not_taken_for_the_projects(tmp_path: Path, monkeypatch):
    (tmp_path / "checkpoints" / "llada_tiny").mkdir(parents=True)
    theirs = id_of("model.path=checkpoints/llada_tiny")
    monkeypatch.chdir(tmp_path)
    assert id_of("model.path=checkpoints/llada_tiny") != theirs
    assert id_of(f"model.path={REPOSITORY / 'checkpoints' / 'llada_tiny'}") != id_of(
        "model.path=checkpoints/llada_tiny"
    )
    assert id_of(f"model.path={os.curdir}/checkpoints/llada_tiny") == id_of("model.path=checkpoints/llada_tiny")
