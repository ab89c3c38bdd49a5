"""lm-eval's command line over a random model: requests are decoded as run.py decodes them, and counted."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import datasets
import lm_eval.tasks
import pytest
from huggingface_hub import constants
from lm_eval.api.instance import Instance

from ssd.config.plan import make_plan
from ssd.integrations.lm_eval import __main__ as lm_eval_main
from ssd.integrations.lm_eval.model import DecoderModel
from ssd.measure.instrumentation import ForwardCounter
from ssd.modeling.config import Family
from ssd.run.runner import run
from tests.checkpoints import PRESETS, write_tiny_checkpoint
from tests.effort import by_turns, some
from tests.models import FAMILIES
from tests.runs import composed, short_words
from tests.tasks.own_tasks import write_task

SHORT = {"runtime.dtype": "float64", "runtime.threads": 1, "generation.gen_length": 16, "generation.block_length": 8}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[Family, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {family: write_tiny_checkpoint(root / family, family) for family in FAMILIES}


def words(family: Family, checkpoints: dict[Family, Path]) -> dict[str, Any]:
    return {"model": PRESETS[family], "model.path": str(checkpoints[family]), **SHORT}


@pytest.fixture
def model(family: Family, checkpoints: dict[Family, Path]) -> DecoderModel:
    return DecoderModel(**words(family, checkpoints))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, family: Family, checkpoints: dict[Family, Path]) -> Callable[..., None]:
    """Runs the command line; tasks are those of --include_path alone, for indexing lm-eval's own takes seconds."""
    monkeypatch.setattr(lm_eval.tasks, "TaskManager", partial(lm_eval.tasks.TaskManager, include_defaults=False))
    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(DecoderModel, "made", [])

    def call(*flags: str, **more: Any) -> None:
        arguments = [f"{key}={value}" for key, value in {**words(family, checkpoints), **more}.items()]
        monkeypatch.setattr("sys.argv", ["lm_eval", "--model", "ssd", "--model_args", ",".join(arguments), *flags])
        lm_eval_main.main()

    return call


def request(text: str, document: int = 0, **kwargs: Any) -> Instance:
    return Instance("generate_until", {}, (text, kwargs), 0, metadata=("sums", document, 1))


@pytest.mark.parametrize(("family", "chat"), by_turns(FAMILIES, (True, False)))
@pytest.mark.slow
def test_both_ways_ask_and_answer_the_same(
    tmp_path: Path,
    command: Callable[..., None],
    family: Family,
    checkpoints: dict[Family, Path],
    chat: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, output = write_task(tmp_path / "own", num_fewshot=2), tmp_path / "output"
    flags = ["--tasks", "ssd_sums", "--include_path", str(folder), "--limit", "3", "--output_path", str(output)]
    command(
        *flags, "--log_samples", *(["--apply_chat_template"] if chat else []), decoder="ssd", **{"decoder.depth": 3}
    )
    printed = capsys.readouterr().out
    task = ["task=lm_eval", "task.name=ssd_sums", f"task.include_path={folder}", f"task.chat={chat}"]
    short = short_words(checkpoints[family], family, tmp_path / "results")
    summary = run(make_plan(composed(*task, *short, "decoder=ssd", "decoder.depth=3")))

    (results,) = output.rglob("results_*.json")
    (logged,) = output.rglob("samples_*.jsonl")
    config = json.loads(results.read_text())["config"]
    assert (config["from_cache"], config["add_bos"]) == (0, False)
    decoding = config["decoding"]
    assert decoding["responses"] == summary["prompts"] == 3
    assert decoding["nfe"] == summary["nfe"]["decoder"]
    assert decoding["tokens_per_forward"] == summary["tokens_per_forward"]["decoder"]
    assert decoding["acceptance_length"] == summary["acceptance_length"]["mean"]
    assert decoding["tokens_per_s"] > 0
    assert printed.index("|ssd_sums|") < printed.index("decoding of 3 responses") < printed.index("nfe")

    lines = (tmp_path / "results" / summary["run_id"] / "samples.jsonl").read_text().splitlines()
    (model,) = DecoderModel.made
    assert [decoded.response_ids for decoded in model.decoded] == [
        json.loads(line)["decoder"]["response_ids"] for line in lines
    ]
    for sample, line in zip(map(json.loads, logged.read_text().splitlines()), lines, strict=True):
        text = json.loads(line)["decoder"]["text"]
        assert sample["resps"] == [[text.partition("\n\n")[0].partition("Next:")[0]]]


def test_text_ends_at_stop_words_and_after_max_gen_toks(model: DecoderModel) -> None:
    (whole,) = model.generate_until([request("What is 1 + 1?")])
    assert len(whole) > 4
    stop = whole[len(whole) // 2]
    cut, short = model.generate_until(
        [request("What is 1 + 1?", until=[stop]), request("What is 1 + 1?", max_gen_toks=2)]
    )
    assert cut == whole.partition(stop)[0]
    assert whole.startswith(short)
    assert len(short) < len(whole)


def test_forwards_are_those_that_the_model_counts(family: Family, checkpoints: dict[Family, Path]) -> None:
    model = DecoderModel(**words(family, checkpoints), **{"runtime.warmup": 0})
    counter = ForwardCounter(model.model.transformer)
    model.generate_until([request("What is 1 + 1?"), request("What is 2 + 2?")])
    assert model.decoding()["nfe"] * 2 == counter.forwards


@pytest.mark.slow
def test_repeats_are_other_samples_and_the_same_again_in_the_next_run(model: DecoderModel) -> None:
    asked = [request("What is 1 + 1?", do_sample=True, temperature=1.5)] * 3
    first = model.generate_until(asked)
    assert len(set(first)) == 3
    assert model.generate_until(asked) == first
    assert len(set(model.generate_until([request("What is 1 + 1?")] * 2))) == 1


def test_what_cannot_be_decoded_is_one_line(model: DecoderModel) -> None:
    with pytest.raises(ValueError, match="sums compares likelihoods, which a decoder cannot compute; expected gen"):
        model.loglikelihood([request("?")])
    with pytest.raises(ValueError, match=r"^sums, document 7: the task's generation_kwargs ask for max_gen_toks=99"):
        model.generate_until([request("What?"), request("What?", document=7, max_gen_toks=99)])
    assert model.decoding() == {}
    with pytest.raises(ValueError, match=r"^sums, document 0: a prompt of [0-9]+ tokens and generation\.gen_length=16"):
        model.generate_until([request("What? " * 4096)])
    with pytest.raises(ValueError, match=r"^--apply_chat_template other: expected no name, and a model with a chat"):
        model.chat_template("other")


@pytest.mark.slow
@pytest.mark.parametrize("family", some(FAMILIES, 2))
def test_a_cached_response_is_of_the_same_configuration_and_counted(
    tmp_path: Path, command: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--tasks", "ssd_sums", "--include_path", str(write_task(tmp_path / "own"))]
    steps = {"decoder": "stepwise"}
    drafts = {"decoder": "ssd", "decoder.depth": 3}
    for more, limit, expected in (
        (steps, 2, "decoding of 2 responses\n"),
        (steps, 2, "no response was decoded: all 2 came from lm-eval's cache\n"),
        (drafts, 2, "decoding of 2 responses\n"),
        (drafts, 3, "decoding of 1 responses; 2 others came from lm-eval's cache and were not decoded\n"),
        ({**drafts, "generation.block_length": 16}, 2, "decoding of 2 responses\n"),
    ):
        DecoderModel.made.clear()
        command(*flags, "--limit", str(limit), "--use_cache", str(tmp_path / "cache"), **more)
        assert expected in capsys.readouterr().out


def test_a_cache_keeps_no_samples_of_one_request_apart(tmp_path: Path, command: Callable[..., None]) -> None:
    folder = write_task(tmp_path / "own", repeats=2, generation_kwargs={"until": ["Next:"]})
    flags = ["--tasks", "ssd_sums", "--include_path", str(folder), "--limit", "1", "--use_cache", str(tmp_path / "c")]
    with pytest.raises(SystemExit, match=r"ssd_sums, document 0: --use_cache keeps one response .* do_sample=true"):
        command(*flags, **{"generation.temperature": 0.7})


def test_a_bos_is_put_before_a_prompt_that_lacks_it(family: Family, checkpoints: dict[Family, Path]) -> None:
    model = DecoderModel(**words(family, checkpoints), **{"task.add_bos": True})
    bos = model.tokenizer.bos_token
    prompts = [model._job(request(text), repeat=0).prompt for text in ("What?", f"{bos}What?")]
    assert prompts[0] == prompts[1] == model.tokenizer.encode(f"{bos}What?", add_special_tokens=False)


@pytest.mark.parametrize(
    ("flags", "more", "message"),
    [
        (["--tasks", "ssd_product"], {}, "error: Tasks not found: ssd_product"),
        (["--tasks", "ssd_sums", "--batch_size", "4"], {}, "error: runtime.batch_size=4: only 1 is supported"),
        (["--tasks", "ssd_sums", "--device", "tpu"], {}, "error: runtime.device=tpu: expected auto, cpu, cuda"),
        (["--tasks", "ssd_sums"], {"decoder": "telepathy"}, "error: decoder=telepathy: expected one of "),
        (["--tasks", "ssd_sums", "--gen_kwargs", "num_beams=2"], {}, "error: ssd_sums, document 0: the task's gener"),
    ],
)
def test_refusals_end_the_command_with_one_line(
    tmp_path: Path, command: Callable[..., None], flags: list[str], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        command(*flags, "--include_path", str(write_task(tmp_path / "own")), "--limit", "1", **more)
    assert str(caught.value.code).startswith(message)
    assert "\n" not in str(caught.value.code)


def test_without_the_hub_a_remedy_is_named(tmp_path: Path, command: Callable[..., None]) -> None:
    folder = write_task(tmp_path / "own", dataset_path="nobody/nothing", dataset_kwargs=None)
    with pytest.raises(SystemExit, match=r"Couldn't reach 'nobody/nothing' .*; a task over local files needs no Hub"):
        command("--tasks", "ssd_sums", "--include_path", str(folder))
