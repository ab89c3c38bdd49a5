"""Inflated checkpoints: the small model's logits in float64, its decisions in float32, files of the Hub's layout."""

import json
import tempfile
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import ssd
from ssd.modeling.checkpoint import load_model, read_config
from ssd.modeling.config import ModelConfig
from ssd.modeling.dllm import MaskedDiffusionModel
from ssd.modeling.inflate import Inflation, inflated_config
from ssd.modeling.inflated_checkpoint import write_inflated
from ssd.modeling.kv_cache import Window
from ssd.modeling.weight_files import INDEX, weight_files
from ssd.paths import ROOT
from ssd.tasks.tiny_math import TinyMath
from tests.effort import LONG, examples
from tests.modeling.windows import random_canvas
from tests.models import BLOCK_CAUSAL, FAMILIES, random_transformer, tiny_config, write_checkpoint

TOLERANCE = 1e-9
MIB = 2**20
SHIPPED = {
    "llada_tiny": {"hidden_size": 448, "heads": 7, "key_value_heads": 7},
    "dream_tiny": {"hidden_size": 512, "heads": 8, "key_value_heads": 4},
    "sdar_tiny_b16": {"hidden_size": 320, "heads": 10, "key_value_heads": 5, "own_head_size": 64},
    "fast_dllm_v2_tiny": {"hidden_size": 384, "heads": 6, "key_value_heads": 3},
}
"""Modest sizes, with head sizes of twice the source's: the square root of 2 has no exact value."""


def logits_of(model: MaskedDiffusionModel, tokens: Tensor) -> Tensor:
    """Return logits of one forward without a cache, in which a block-causal model has its mask."""
    return model.window(tokens[None], Window(0, len(tokens), model.config.logits_shift, len(tokens), len(tokens)))[0]


@st.composite
def shapes(draw: st.DrawFn) -> tuple[ModelConfig, ModelConfig]:
    """A small config of any family, and a large one that can hold it."""
    family = draw(st.sampled_from((*FAMILIES, *BLOCK_CAUSAL)))
    groups, shared, half = (draw(st.integers(1, most)) for most in (3, 2, 3))
    changes: dict[str, Any] = {
        "key_value_heads": groups,
        "heads": groups * shared,
        "hidden_size": groups * shared * half * 2,
        "layers": draw(st.integers(1, 2)),
        "mlp_size": draw(st.integers(3, 8)),
        "own_head_size": draw(st.sampled_from((None, 4, 6))) if family == "sdar" else None,
        "tied_head": family in BLOCK_CAUSAL and draw(st.booleans()),
    }
    small = tiny_config(family, **changes)
    large_groups, large_shared = groups + draw(st.integers(0, 2)), shared + draw(st.integers(0, 2))
    heads, head_size = large_groups * large_shared, small.head_size * draw(st.integers(1, 3))
    sizes = {
        "key_value_heads": large_groups,
        "heads": heads,
        "hidden_size": heads * head_size,
        "layers": small.layers + draw(st.integers(0, 2)),
        "mlp_size": small.mlp_size + draw(st.integers(0, 5)),
        "own_head_size": None,
    }
    if family == "sdar":
        sizes |= {"hidden_size": small.hidden_size + draw(st.integers(0, 9)), "own_head_size": head_size}
    elif sizes["hidden_size"] < small.hidden_size:
        sizes["hidden_size"] = small.hidden_size
    return small, inflated_config(small, sizes)


@settings(max_examples=examples(100))
@given(shapes(), st.integers(0, 99))
@pytest.mark.slow
def test_logits_are_the_small_models(pair: tuple[ModelConfig, ModelConfig], seed: int) -> None:
    small, large = pair
    fields = ("hidden_size", "layers", "heads", "key_value_heads", "mlp_size", "own_head_size", "tied_head")
    transformer = random_transformer(small.family, seed, **{name: getattr(small, name) for name in fields})
    with tempfile.TemporaryDirectory() as folder:
        source, out = write_checkpoint(Path(folder) / "source", transformer), Path(folder) / "out"
        write_inflated(source, large, out, None, MIB)
        models = load_model(source), load_model(out)
    assert models[1].config == large
    tokens = random_canvas(small, seed)
    logits, inflated = (logits_of(model, tokens) for model in models)
    assert logits.std() > 0.1
    assert (inflated - logits).abs().max() < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_decisions_of_shipped_models_stay_in_float32(name: str, tmp_path: Path) -> None:
    folder, out = ROOT / "checkpoints" / name, tmp_path / "out"
    small = read_config(folder)
    write_inflated(folder, wider(small, **SHIPPED[name]), out, torch.float32, 64 * MIB)
    sides = [ssd.load(name, path=str(path), device="cpu", dtype="float32") for path in (folder, out)]
    for document in TinyMath(documents=100).documents(100 if LONG else 1):
        first, second = (
            ssd.decode(side, document.question, "stepwise", gen_length=32 if LONG else 16) for side in sides
        )
        assert second.ids == first.ids
        assert orders(second) == orders(first)


def orders(response: ssd.Response) -> list[list[tuple[int, int]]]:
    """Return positions and tokens that each forward commits."""
    return [[(pick.position, pick.token) for pick in event.picks] for event in response.trace.events]


def wider(small: ModelConfig, **sizes: int) -> ModelConfig:
    """Return the config of a shape with one layer and a few neurons more."""
    more = {"layers": small.layers + 1, "mlp_size": small.mlp_size + 32, "own_head_size": None}
    return inflated_config(small, more | sizes)


def test_the_folder_has_the_hubs_layout_in_shards_of_bounded_size(tmp_path: Path) -> None:
    source, out = (
        write_checkpoint(tmp_path / "source", random_transformer("sdar", dtype=torch.float32)),
        tmp_path / "out",
    )
    for file in ("tokenizer.json", "generation_config.json", "draft_graph.json"):
        (source / file).write_text(f'{{"file": "{file}"}}')
    large = inflated_config(read_config(source), {"hidden_size": 48, "layers": 5, "heads": 8, "key_value_heads": 4})
    write_inflated(source, large, out, torch.bfloat16, 20_000)
    for file in ("tokenizer.json", "generation_config.json", "draft_graph.json"):
        assert (out / file).read_text() == (source / file).read_text()
    assert "5 layers of width 48" in (out / "README.md").read_text()
    stored = weight_files(out)
    assert {file.name for file in stored.values()} == {file.name for file in out.glob("*.safetensors")}
    assert len(set(stored.values())) > 5
    header = 4_000
    assert all(file.stat().st_size <= 20_000 + header for file in stored.values())
    index = json.loads((out / INDEX).read_text())
    assert index["metadata"]["total_size"] == sum(w.nbytes for w in load_model(out).transformer.parameters())
    assert load_model(out).dtype == torch.bfloat16
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("source", "out")] == []


def test_memory_holds_one_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_checkpoint(tmp_path / "source", random_transformer("dream"))
    made: list[weakref.ref[Tensor]] = []
    held: list[int] = []

    def weight(inflation: Inflation, *arguments: Any, make: Any = Inflation.weight) -> Tensor:
        tensor: Tensor = make(inflation, *arguments)
        made.append(weakref.ref(tensor))
        held.append(sum(each.nbytes for ref in made if (each := ref()) is not None))
        return tensor

    monkeypatch.setattr(Inflation, "weight", weight)
    write_inflated(source, inflated_config(read_config(source), {"layers": 3}), tmp_path / "out", None, 50_000)
    assert len(set(weight_files(tmp_path / "out").values())) > 3
    assert max(held) <= 50_000


def test_a_block_length_in_a_folders_name_goes_into_the_file(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "tiny-b8", random_transformer("sdar"))
    hub = json.loads((source / "config.json").read_text())
    del hub["block_size"]
    (source / "config.json").write_text(json.dumps(hub))
    small = read_config(source)
    assert small.causal_block == 8
    write_inflated(source, inflated_config(small, {"hidden_size": 40}), tmp_path / "out", None, MIB)
    assert read_config(tmp_path / "out").causal_block == 8


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"hidden_size": 24}, "hidden_size is 24, expected at least the source's 32"),
        ({"mlp_size": 63}, "mlp_size is 63, expected at least the source's 64"),
        ({"layers": 1}, "layers is 1, expected at least the source's 2"),
        ({"heads": 2, "key_value_heads": 1}, "key_value_heads is 1, expected at least the source's 2"),
        ({"hidden_size": 35}, "hidden_size is 35, expected a multiple of the 4 heads"),
        ({"hidden_size": 48}, "the heads' size is 12, expected a multiple of the source's 8: rotations must keep"),
        ({"key_value_heads": 4}, "4 heads share 4 key/value heads, expected .* at least the source's 2"),
        ({"heads": 8, "hidden_size": 64, "key_value_heads": 3}, "8 heads share 3 key/value heads, expected the same"),
        ({"own_head_size": 16}, "the heads' size is 16, but 4 heads share the hidden size 32 in the family dream"),
    ],
)
def test_sizes_that_cannot_hold_the_source(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        inflated_config(tiny_config("dream"), sizes)
    assert "\n" not in str(caught.value)


def test_nothing_is_written_where_something_is(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", random_transformer("dream"))
    large = inflated_config(read_config(source), {"layers": 3})
    with pytest.raises(FileExistsError, match=r"source: exists already; name a new folder, or delete this one$"):
        write_inflated(source, large, source, None, MIB)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*absent; name one that exists$"):
        write_inflated(source, large, tmp_path / "absent" / "out", None, MIB)
    huge = replace(large, mlp_size=10**12)
    with pytest.raises(OSError, match=r"the weights take .* GiB, expected at most the .* GiB that are free; name"):
        write_inflated(source, huge, tmp_path / "out", None, MIB)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]
