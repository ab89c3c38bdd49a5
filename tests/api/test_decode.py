"""Decoding: prompts of all kinds, settings, and the same result as the decoder itself gives."""

from dataclasses import replace

import pytest

import ssd
from ssd.api import load as loading
from ssd.api.decode import fitting

SHORT = {"gen_length": 16, "block_length": 8}
QUESTION = "What is 3 + 4?"


def test_texts_messages_and_ids_are_one_prompt(model):
    messages = [{"role": "user", "content": QUESTION}]
    ids = model.prompt_ids(QUESTION)
    assert model.prompt_ids(messages) == model.prompt_ids(ids) == ids
    assert model.tokenizer.decode(ids).endswith("<|im_start|>assistant\n")
    plain = model.prompt_ids(QUESTION, chat=False)
    assert model.tokenizer.decode(plain) == QUESTION
    begun = model.prompt_ids([*messages, {"role": "assistant", "content": "3 + 4 ="}])
    assert begun[: len(ids)] == ids
    assert model.tokenizer.decode(begun).endswith("3 + 4 =")


@pytest.mark.parametrize(
    "decoder", [ssd.Stepwise(), ssd.SelfSpeculative(depth=4), ssd.FastDLLM(threshold=0.5), ssd.FreeDave()]
)
def test_a_response_is_what_the_decoder_gives(model, decoder):
    response = ssd.decode(model, QUESTION, decoder, **SHORT)
    settings = ssd.GenerationSettings(**SHORT)
    expected = decoder.decode(model.model, model.prompt_ids(QUESTION), settings, model.special)
    assert response.ids == expected.response_ids
    assert response.trace == expected.trace
    assert response.nfe == expected.trace.nfe
    assert response.acceptance_lengths == expected.trace.acceptance_lengths(len(response.ids))
    assert response.latency_s > 0


def test_self_speculation_is_the_default_and_keeps_the_response(model):
    response = ssd.decode(model, QUESTION, **SHORT)
    assert isinstance(response.decoder, ssd.SelfSpeculative)
    assert response.ids == ssd.decode(model, QUESTION, "stepwise", **SHORT).ids
    assert repr(response).startswith("Response(")
    assert "16 tokens in" in repr(response)
    assert "\n" not in repr(response)


def test_an_autoregressive_verifier_is_loaded_once(monkeypatch):
    tiny, loads = ssd.load("llada_tiny", device="cpu"), []
    monkeypatch.setattr(ssd.APD, "load", lambda self, *given, load=ssd.APD.load: loads.append(load(self, *given)))
    for _ in range(2):
        assert len(ssd.decode(tiny, QUESTION, "apd", gen_length=4).ids) == 4
    assert len(loads) == 1
    assert len(loading._PREPARED) > 0


def test_settings_are_replaced_and_fitted(model):
    assert fitting(model, None, {"gen_length": 8}, 10).block_length == 8
    own = ssd.GenerationSettings(gen_length=64, block_length=16)
    assert fitting(model, own, {"cache": "none"}, 10) == replace(own, cache="none")
    free = model.config.context_length - 100
    assert fitting(model, None, {}, free).gen_length == 96
    assert fitting(model, own, {}, model.config.context_length - 1) == own


@pytest.mark.parametrize(
    ("prompt", "options", "line"),
    [
        (QUESTION, {"gen_lenght": 8}, "gen_lenght is not a setting; expected one of gen_length"),
        (QUESTION, {"gen_length": 12, "block_length": 8}, "not divisible"),
        (QUESTION, {"decoder": "sdd"}, "decoder='sdd': expected a decoder object or one of apd, credit"),
        (QUESTION, {"decoder": "apd"}, "verifier"),
        (QUESTION, {"decoder": "wino", "cache": "dkv"}, "generation.cache=dkv with decoder=wino: this decoder"),
        ([], {}, "the prompt is empty"),
        ([1], {}, "the prompt contains the mask id"),
        ([{"text": "no"}], {}, "prompt: expected a text, a list of ids or messages"),
        ([{"role": "user", "content": 5}], {}, "prompt: expected a text, a list of ids or messages"),
        (None, {}, "prompt=None: expected a text, a list of ids or messages"),
        (5, {}, "prompt=5: expected a text"),
        (b"5", {}, "prompt=b'5': expected a text"),
        (QUESTION, {"settings": {"gen_length": 8}}, "settings={'gen_length': 8}: expected None or settings, as ssd"),
        (QUESTION, {"settings": 0}, "settings=0: expected None or settings"),
        (QUESTION, {"chat": "no"}, "chat='no': expected True, False or None"),
        (QUESTION, {"gen_length": "x"}, "gen_length=x: expected a whole number"),
    ],
)
def test_wrong_input_is_refused_in_one_line(model, prompt, options, line):
    with pytest.raises(ValueError, match=line) as caught:
        ssd.decode(model, prompt, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "line"), [(5, r"model=5: .*; pass ssd\.load\(NAME\)"), ("dream", r"pass ssd\.load\('dream'\)")]
)
def test_a_model_is_loaded_first(model, line):
    for call in (lambda: ssd.decode(model, QUESTION), lambda: ssd.compare(model, [QUESTION])):
        with pytest.raises(ValueError, match=line):
            call()


def test_a_model_without_a_chat_template_takes_plain_texts(model):
    bare = replace(model, tokenizer=type(model.tokenizer)(tokenizer_object=model.tokenizer.backend_tokenizer))
    with pytest.raises(ValueError, match="no chat template; pass the prompt as a text with chat=False"):
        ssd.decode(bare, QUESTION)
    assert bare.prompt_ids(QUESTION, chat=False) == model.prompt_ids(QUESTION, chat=False)


def test_a_notebook_shows_the_trace_in_a_frame(model, tmp_path):
    response = ssd.decode(model, QUESTION, **SHORT)
    shown = response._repr_html_()
    assert shown.startswith('<iframe srcdoc="')
    assert 'sandbox="allow-scripts"' in shown
    file = response.viewer().save(tmp_path / "trace.html")
    assert file.read_text().startswith("<!doctype html>")
