"""Words of a command line that cannot be right: one line with what to type instead."""

import pytest
from hydra.errors import HydraException

from ssd.config.command_line import check_words, explain, one_line
from tests.runs import composed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--decoder ssd", "--decoder: options have no dashes; type decoder=ssd"),
        ("-m --decoder ssd,apd task=gsm8k", "--decoder: options have no dashes; type decoder=ssd,apd"),
        ("--decoder=ssd", "--decoder=ssd: options have no dashes; type decoder=ssd"),
        ("--runtime.limit 3", "--runtime.limit: options have no dashes; type runtime.limit=3"),
        ("-overwrite", "-overwrite: options have no dashes; type overwrite=VALUE"),
        ("decoder ssd", "decoder: an option looks like NAME=VALUE; type decoder=ssd"),
        ("task=gsm8k decoder", "decoder: an option looks like NAME=VALUE; type decoder=VALUE"),
        ("llada_tiny", "llada_tiny: an option looks like NAME=VALUE; type model=llada_tiny"),
        ("decoder=ssd ~runtime", "~runtime: every run needs runtime; leave this word out"),
        ("~model.path", "~model.path: every run needs model.path; leave this word out"),
        ("~decoder", "~decoder: every run needs decoder; leave this word out"),
        ("decoder --multirun", "decoder: an option looks like NAME=VALUE; type decoder=VALUE"),
    ],
)
def test_the_form_of_options(words, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the whole message is compared)
        check_words(words.split())
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "words",
    [
        "decoder=ssd ~preset ~decoder.threshold +decoder.depth=3 ++runtime.limit=3 hydra/launcher=slurm",
        "-m --cfg job -p decoder decoder=ssd,apd",
        "--config-dir mine/conf decoder=mine",
        "--config-dir=mine/conf -cn config",
        "-sc install=bash",
        "task.path=a=b.jsonl",
    ],
)
def test_words_that_are_right(words):
    check_words(words.split())


@pytest.mark.parametrize(
    ("word", "ends"),
    [
        ("decoder=sdd", "stepwise, wino; did you mean ssd or psd?"),
        ("task=gsm8", "did you mean gsm8k?"),
        ("model=lada_tiny", "did you mean llada_tiny or sdar_tiny or dream_tiny?"),
        ("experiment=ssdpaper", "did you mean ssd_paper?"),
        ("decoder=zzzzzz", "spiffy, ssd, stepwise, wino"),
    ],
)
def test_a_choice_that_does_not_exist_has_the_nearest_names(word, ends):
    with pytest.raises(HydraException) as caught:
        composed(word)
    message = one_line(caught.value)
    assert message.startswith(f"{word}: expected one of ")
    assert message.endswith(ends)


def test_a_commit_rule_for_a_decoder_that_takes_none_has_the_decoders_that_do():
    for words in (["decoder/commit=eb"], ["decoder=klass", "decoder/commit=eb"]):
        with pytest.raises(HydraException) as caught:
            composed(*words)
        expected = "decoder/commit=eb: expected one of decoder=fast_dllm, freedave, psd, which have this choice"
        assert explain(caught.value, words) == expected


@pytest.mark.parametrize(
    ("word", "near"), [("decodr=ssd", "decoder"), ("modle=llada", "model"), ("taks=gsm8k", "task")]
)
def test_a_group_that_does_not_exist_has_the_nearest_name(word, near):
    with pytest.raises(HydraException) as caught:
        composed(word)
    assert explain(caught.value, [word]) == f"{word.partition('=')[0]} is not an option; did you mean {near}?"


@pytest.mark.parametrize("word", ["decoder=stepwise decoder.threshold=0.8", "tracker.project=mine"])
def test_a_choice_without_options_says_so(word):
    with pytest.raises(HydraException) as caught:
        composed(*word.split())
    option, _, _ = word.split()[-1].partition("=")
    expected = f"{option} is not an option; this {option.partition('.')[0]} has no options"
    assert explain(caught.value, word.split()) == expected
