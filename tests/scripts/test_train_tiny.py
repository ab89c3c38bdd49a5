"""Training of the tiny checkpoints, on recipes cut down to a few steps of an even smaller network."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

from scripts import train_tiny
from scripts.tiny.batches import BLOCK_LENGTH, GEN_LENGTH, Pool, mask_positions, prompt_ids
from scripts.tiny.export import MODEL_FILES
from scripts.tiny.networks import hub_weights, load_hub_weights, start_from
from scripts.tiny.optimiser import orthogonalise, rate_share
from scripts.tiny.tokenizer import TURN_END, train_tokenizer, wrap
from scripts.train_tiny import ROOT, Training, read_recipe, train
from ssd.modeling.config import ModelConfig
from ssd.modeling.transformer import Transformer
from ssd.tasks.tiny_language import TASKS, documents, response, user_message
from tests.checkpoints import trained_tokenizer
from tests.effort import some

pytestmark = pytest.mark.usefixtures("one_thread", "one_tokenizer")

MODELS = ("llada_tiny", "dream_tiny", "verifier_tiny")


def small_recipe(model: str) -> dict[str, Any]:
    recipe = read_recipe(ROOT / "scripts" / "tiny" / "recipes" / f"{model}.yaml")
    if model == "llada_tiny":
        recipe["config"] |= {"d_model": 40, "n_heads": 5, "n_kv_heads": 5, "n_layers": 3, "mlp_hidden_size": 48}
    else:
        recipe["config"] |= {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2}
        recipe["config"] |= {"num_hidden_layers": 2, "intermediate_size": 48}
    return recipe | {
        "starts_from": None,
        "steps": 6,
        "warmup": 2,
        "pool": {"tiny_math": 200, "drills": 60, "tiny_humaneval": 60, "tiny_mbpp": 60},
        "parts": {"tiny_math": [2, 2], "drills": [2], "tiny_humaneval": [1], "tiny_mbpp": [1]},
        "evaluate_every": 1000,
        "quick_count": 1,
        "final_count": 1,
    }


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tensors this small are computed fastest by one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """It is trained anew: a second training gives the first one's tokenizer."""
    trained = train_tokenizer()
    assert trained.to_str() == trained_tokenizer().to_str()
    return wrap(trained, "<|startoftext|>", 4096)


@pytest.mark.slow
@pytest.mark.parametrize("model", some(MODELS, 2))
def test_training_continues_to_the_same_weights(model: str, tmp_path: Path) -> None:
    recipe = small_recipe(model)
    straight = Training(recipe, tmp_path / "straight.pt")
    for _ in range(4):
        straight.advance()
    interrupted = Training(recipe, tmp_path / "interrupted.pt")
    for _ in range(2):
        interrupted.advance()
    interrupted.save()
    resumed = Training(recipe, tmp_path / "interrupted.pt")
    assert resumed.step == 2
    for _ in range(2):
        resumed.advance()
    for name, weight in straight.network.state_dict().items():
        assert torch.equal(weight, resumed.network.state_dict()[name]), name


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_finished_training_has_the_files_of_a_hub_checkpoint(model: str, tmp_path: Path) -> None:
    recipe = small_recipe(model)
    training = Training(recipe, tmp_path / "state.pt")
    scores = train(training, tmp_path / "checkpoint")
    assert [score.task for score in scores] == list(TASKS)
    assert {file.name for file in (tmp_path / "checkpoint").iterdir()} == set(MODEL_FILES)
    config = json.loads((tmp_path / "checkpoint" / "config.json").read_text())
    assert config.keys() == recipe["config"].keys()
    assert config["eos_token_id"] == config["pad_token_id"] == training.tokenizer.eos_token_id
    weights = load_file(tmp_path / "checkpoint" / "model.safetensors")
    assert weights.keys() == hub_weights(training.network).keys()
    assert {weight.dtype for weight in weights.values()} == {torch.bfloat16}
    loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path / "checkpoint")
    assert prompt_ids(loaded, ["Tom has 7 apples."]) == prompt_ids(training.tokenizer, ["Tom has 7 apples."])
    card = (tmp_path / "checkpoint" / "README.md").read_text()
    assert str(tmp_path) not in card
    loading = card[card.index("## How to load it") : card.index("## How it was made")]
    assert loading in (ROOT / "checkpoints" / model / "README.md").read_text(), "the shipped card is this one"


@pytest.mark.slow
def test_dream_starts_with_the_weights_of_the_verifier(tmp_path: Path) -> None:
    verifier = Training(small_recipe("verifier_tiny"), tmp_path / "verifier.pt")
    verifier.export(tmp_path / "verifier", [])
    tokens = torch.zeros(1, 4, dtype=torch.long)
    dream = Training(small_recipe("dream_tiny"), tmp_path / "dream.pt").network
    start_from(dream, tmp_path / "verifier", tokens)
    weights = load_file(tmp_path / "verifier" / "model.safetensors")
    assert hub_weights(dream).keys() == weights.keys()
    assert all(torch.equal(weight, weights[name].float()) for name, weight in hub_weights(dream).items())

    with pytest.raises(FileNotFoundError, match=r"no model.safetensors in .*; train that checkpoint first"):
        start_from(dream, tmp_path / "nothing", tokens)
    with pytest.raises(ValueError, match="only the diffusion models can start from another checkpoint"):
        start_from(verifier.network, tmp_path / "verifier", tokens)


@pytest.mark.slow
def test_llada_starts_with_what_dream_computes(tmp_path: Path) -> None:
    shapes = {"config": read_recipe(ROOT / "scripts" / "tiny" / "recipes" / "llada_tiny.yaml")["config"]}
    llada = Training(small_recipe("llada_tiny") | shapes, tmp_path / "llada.pt")
    folder = ROOT / "checkpoints" / "dream_tiny"
    dream = Transformer(ModelConfig.from_hub(json.loads((folder / "config.json").read_text())))
    load_hub_weights(dream, load_file(folder / "model.safetensors"))
    tokens = torch.cat([batch.inputs[:1, :80] for batch in llada.pool.batches(0, causal=False)[:2]])
    start_from(llada.network, folder, tokens)
    assert isinstance(llada.network, Transformer)
    with torch.inference_mode():
        theirs, ours = (each.logits(tokens)[tokens == dream.config.mask_id] for each in (dream, llada.network))
    assert len(theirs) > 20
    assert (theirs.softmax(-1) - ours.softmax(-1)).abs().sum(-1).mean() < 0.05
    assert (theirs.argmax(-1) == ours.argmax(-1)).float().mean() > 0.95


@pytest.mark.parametrize("model", MODELS)
def test_recipes_have_the_keys_of_the_hubs_config(model: str) -> None:
    config = read_recipe(ROOT / "scripts" / "tiny" / "recipes" / f"{model}.yaml")["config"]
    shipped = ROOT / "checkpoints" / model / "config.json"
    assert config.keys() == json.loads(shipped.read_text()).keys()


@pytest.mark.slow
def test_every_text_fits_and_digits_are_single_tokens(tokenizer: Any) -> None:
    for task in TASKS:
        for document in documents(task, "test", 300, seed=0):
            assert len(prompt_ids(tokenizer, [user_message(task, document)])[0]) <= 64
            answer = tokenizer(response(task, document) + TURN_END, add_special_tokens=False)["input_ids"]
            assert len(answer) <= GEN_LENGTH
            assert tokenizer.decode(answer[:-1]) == response(task, document)
    assert tokenizer.tokenize("17 + 5") == ["1", "7", "Ġ+", "Ġ", "5"]


def test_masks_hide_no_prompt_and_look_like_decoding() -> None:
    generator = torch.Generator().manual_seed(0)
    prompt = 10
    maskable = (torch.arange(prompt + GEN_LENGTH) >= prompt).expand(400, -1)
    hidden = mask_positions(maskable, prompt, torch.full((400,), 50), generator)
    assert not hidden[:, :prompt].any()
    assert hidden.any(dim=1).all()
    second = hidden[:, prompt + BLOCK_LENGTH :]
    first = hidden[:, prompt : prompt + BLOCK_LENGTH]
    assert (second.all(dim=1) & ~first.all(dim=1)).sum() > 40
    assert (~first.any(dim=1) & second.any(dim=1)).sum() > 20


def test_batches_depend_on_seed_and_step_alone(tokenizer: Any) -> None:
    recipe = small_recipe("llada_tiny")
    pools = [Pool(tokenizer, recipe["pool"], recipe["parts"], seed=1) for _ in range(2)]
    for first, second in zip(pools[0].batches(5, causal=False), pools[1].batches(5, causal=False), strict=True):
        assert torch.equal(first.inputs, second.inputs)
        assert torch.equal(first.weights, second.weights)
    assert sum(float(each.weights.sum()) for each in pools[0].batches(6, causal=True)) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="too few examples of drills"):
        Pool(tokenizer, {**recipe["pool"], "drills": 1}, recipe["parts"], seed=1)


def test_orthogonalised_matrices_have_singular_values_near_one() -> None:
    matrices = torch.randn(3, 24, 16, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalise(matrices))
    assert values.min() > 0.3
    assert values.max() < 1.5


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    shares = [rate_share(step, steps=100, warmup=10) for step in range(100)]
    assert max(shares) == 1.0
    assert shares[0] == pytest.approx(0.1)
    assert 0 < shares[-1] < 0.02


def test_mistakes_have_one_line_messages(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert train_tiny.main(["--model", "gpt_tiny"]) == 1
    assert (
        "no recipe gpt_tiny.yaml; there are dream_tiny, fast_dllm_v2_tiny, llada_tiny, sdar_tiny, sdar_tiny_b16, "
        in (capsys.readouterr().err)
    )
    (tmp_path / "half.yaml").write_text("name: half\nseed: 1\n")
    with pytest.raises(ValueError, match=r"half.yaml lacks about, adamw_rate, config"):
        read_recipe(tmp_path / "half.yaml")
