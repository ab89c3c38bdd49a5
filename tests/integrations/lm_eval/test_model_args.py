"""lm-eval's words: --model_args are run.py's, and generation_kwargs are honoured or refused."""

from typing import Any

import pytest

from ssd.decoding.settings import GenerationSettings
from ssd.integrations.lm_eval.model_args import Ending, plan_from, request_settings
from ssd.speculation.decoder import SelfSpeculative

SETTINGS = GenerationSettings(gen_length=64, block_length=32)
SAMPLING = GenerationSettings(gen_length=64, block_length=32, temperature=0.2, top_p=0.95)


def test_the_words_of_run_py_make_the_plan() -> None:
    words = {"model": "dream_tiny", "decoder": "ssd", "decoder.builder": "kary", "generation.steps": None}
    plan = plan_from({**words, "runtime.dtype": "float64", "generation.gen_length": 32, "decoder.alternatives": True})
    assert isinstance(plan.decoder, SelfSpeculative)
    assert (plan.config["decoder"]["builder"], plan.config["decoder"]["alternatives"]) == ("kary", True)
    assert (plan.settings.gen_length, plan.settings.steps) == (32, None)
    assert plan.config["model"]["name"] == "dream_tiny"
    # What tells the presets apart from those of the task that stands in.
    assert plan_from({"model": "llada_tiny"}).settings.gen_length == 256


def test_prompts_begin_with_a_bos_where_the_authors_evaluate_so() -> None:
    assert plan_from({"model": "dream_base"}).task.add_bos
    assert not plan_from({"model": "dream_base", "task.add_bos": False}).task.add_bos
    assert not plan_from({"model": "dream"}).task.add_bos


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            {"pretrained": "gpt2"},
            r"^--model_args pretrained=gpt2: expected a key .*, task\.add_bos or runtime",
        ),
        ({"task": "gsm8k"}, r"^--model_args task=gsm8k: .* use lm-eval's flags for tasks, limits and outputs$"),
        ({"runtime.limit": 3}, r"^--model_args runtime\.limit=3: .* runtime\.\{device,dtype,"),
        ({"runtime.batch_size": 8}, r"^runtime\.batch_size=8: only 1 is supported"),
        ({"generation.gen_length": 100}, r"gen_length=100 is not divisible"),
        ({"decoder": "ssd", "decoder.depth": 0}, r"decoder\.depth=0: expected auto or a whole number"),
    ],
)
def test_words_that_cannot_work(words: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan_from(words)


def test_unknown_names_are_refused_as_on_our_own_command_line() -> None:
    with pytest.raises(ValueError, match=r"^decoder=telepathy: expected one of .*ssd"):
        plan_from({"decoder": "telepathy"})
    with pytest.raises(ValueError, match=r"^generation\.lenght is not an option; expected one of gen_length, "):
        plan_from({"generation.lenght": 5})


@pytest.mark.parametrize(
    ("asked", "settings", "expected"),
    [
        ({}, SETTINGS, {}),
        ({}, SAMPLING, {}),
        ({"do_sample": False}, SETTINGS, {}),
        ({"do_sample": False, "temperature": 0.7, "top_p": 0.5}, SETTINGS, {}),
        ({"temperature": 0.7}, SETTINGS, {"temperature": 0.7}),
        ({"do_sample": True}, SETTINGS, {"temperature": 1.0}),
        ({"do_sample": True, "temperature": 0.2, "top_k": 0}, SAMPLING, {}),
        (
            {"do_sample": True, "temperature": 0.2, "top_p": 0.9, "top_k": 5},
            SETTINGS,
            {"temperature": 0.2, "top_p": 0.9, "top_k": 5},
        ),
    ],
)
def test_sampling_is_what_the_task_asks_for(
    asked: dict[str, Any], settings: GenerationSettings, expected: dict[str, Any]
) -> None:
    found, ending = request_settings(asked, settings)
    assert {name: getattr(found, name) for name in vars(found) if getattr(found, name) != getattr(settings, name)} == (
        expected
    )
    assert ending == Ending(64, [])


def test_the_text_ends_where_the_task_says() -> None:
    assert request_settings({"until": "\n", "max_gen_toks": 64}, SETTINGS)[1] == Ending(64, ["\n"])
    assert request_settings({"until": ["Q:", "A:"], "max_new_tokens": 10}, SETTINGS)[1] == Ending(10, ["Q:", "A:"])


@pytest.mark.parametrize(
    ("asked", "settings", "message"),
    [
        ({"max_gen_toks": 65}, SETTINGS, r"max_gen_toks=65; expected 1 to generation\.gen_length=64; pass a longer"),
        ({"max_gen_toks": 0}, SETTINGS, "max_gen_toks=0; expected 1 to"),
        ({"num_beams": 4}, SETTINGS, r"ask for num_beams=4; expected until, max_gen_toks, .*--include_path"),
        (
            {"do_sample": False},
            SAMPLING,
            r"generation\.temperature=0\.2 .* ask for 0\.0; .*do_sample=true,temperature=0",
        ),
        ({"temperature": 0.0}, SAMPLING, r"generation\.temperature=0\.2 .* ask for 0\.0"),
        ({"temperature": 0.2, "top_p": 0.5}, SAMPLING, r"generation\.top_p=0\.95 .* ask for 0\.5"),
        ({"temperature": 0.2, "top_p": 2}, SETTINGS, r"generation\.top_p=2: expected"),
    ],
)
def test_what_is_not_honoured_is_refused(asked: dict[str, Any], settings: GenerationSettings, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        request_settings(asked, settings)
    assert "\n" not in str(caught.value)
