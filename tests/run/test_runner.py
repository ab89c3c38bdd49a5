"""Whole runs in this process, over the first problems of tiny_math with random models."""

import hashlib
import json
from itertools import count
from types import SimpleNamespace

import pytest

from baselines.stepwise import Stepwise
from ssd.config.plan import make_plan
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.caches.refreshed import RefreshedCache
from ssd.measure import instrumentation as probes
from ssd.report.console.run_table import print_summary
from ssd.results.atomic_io import LOCK
from ssd.results.run_id import run_id
from ssd.run import loading
from tests.effort import by_turns
from tests.metrics.test_summary import KINDS, SCHEMA, check_schema
from tests.models import FAMILIES
from tests.runs import composed, lines_of, only_folder

SIDE = {
    "response_ids": list,
    "text": str,
    "answer": (str, type(None)),
    "correct": bool,
    "reason": (str, type(None)),
    "latency_s": float,
    "time_s": float,
    "model_s": float,
    "predicted_s": (float, type(None)),
    "forwards": float,
    "verifier_s": float,
    "nfe": dict.fromkeys(KINDS, int),
    "token_rows": int,
    "tokens_total": int,
    "tokens_useful": int,
    "tokens_cut": int,
    "acceptance_lengths": list,
}
LINE = {
    "index": int,
    "repeat": int,
    "seed": int,
    "prompt_ids": list,
    "prompt_sha256": str,
    "target": str,
    "reference": SIDE,
    "decoder": SIDE,
    "identical": bool,
    "first_divergence": (dict, type(None)),
}


@pytest.mark.parametrize(("family", "cache"), by_turns(FAMILIES, ("none", "dual", "prefix")))
@pytest.mark.slow
def test_a_run_leaves_everything_that_a_reader_needs(family, cache, short_run, tmp_path):
    summary = short_run(family, f"generation.cache={cache}", "generation.stop=eos_block")
    check_schema(summary, SCHEMA)
    assert summary["identity"] | {"same_commit_order": 1.0} == {
        "rate": 1.0,
        "identical": 3,
        "numeric": 0,
        "algorithmic": 0,
        "same_commit_order": 1.0,
        "other_order": {"numeric": 0, "algorithmic": 0},
    }
    assert summary["nfe"]["reference"] == 16
    assert summary["nfe"]["decoder"] < 16
    assert (summary["nfe"]["by_kind"]["refresh"] == 0) == (cache == "none")

    folder = only_folder(tmp_path)
    assert folder.name == summary["run_id"]
    names = {"config.yaml", "environment.json", "measured.json", "samples.jsonl", "summary.json", "done.json", LOCK}
    assert {file.name for file in folder.iterdir()} == names
    assert json.loads((folder / "summary.json").read_text()) == summary
    lines = lines_of(folder)
    assert [line["index"] for line in lines] == [0, 1, 2]
    responses = set()
    for line in lines:
        check_schema(line, LINE, "line")
        text = ",".join(map(str, line["prompt_ids"]))
        assert line["prompt_sha256"] == hashlib.sha256(text.encode()).hexdigest()
        for side in (line["reference"], line["decoder"]):
            assert len(side["response_ids"]) == 16
            assert 1 not in side["response_ids"], "the mask is never predicted"
            assert side["latency_s"] > 0
            assert side["tokens_total"] == 16
        assert sum(line["reference"]["nfe"].values()) == 16
        assert line["decoder"]["nfe"]["verify"] == len(line["decoder"]["acceptance_lengths"]) > 0
        assert line["reference"]["acceptance_lengths"] == []
        responses.add(tuple(line["decoder"]["response_ids"]))
    assert len(responses) == 3, "a model that answers everything alike would test little"


@pytest.mark.slow
def test_the_side_that_goes_first_alternates_after_the_warm_up(short_run, monkeypatch):
    calls = []
    decode = BlockDecoder.decode

    def watch(self, model, prompt, *arguments):
        calls.append((type(self) is Stepwise, len(prompt)))
        return decode(self, model, prompt, *arguments)

    monkeypatch.setattr(BlockDecoder, "decode", watch)
    short_run("llada", "runtime.warmup=2", "runtime.limit=4")
    warm_up, measured = calls[:4], calls[4:]
    longest = max(length for _, length in measured)
    assert warm_up == [(True, longest), (False, longest)] * 2
    assert [first for first, _ in measured] == [True, False, False, True, True, False, False, True]


@pytest.mark.slow
def test_traces_hold_every_forward_of_both_sides(short_run, tmp_path):
    short_run("dream", "runtime.traces=true")
    folder = only_folder(tmp_path)
    for line in lines_of(folder):
        traces = json.loads((folder / "traces" / f"{line['index']:06d}-0.json").read_text())
        for side in ("reference", "decoder"):
            assert len(traces[side]) == sum(line[side]["nfe"].values())
            response = [None] * 16
            for event in traces[side]:
                for position, token, _ in event["picks"]:
                    assert response[position] is None, "every position is committed once"
                    response[position] = token
            assert response == line[side]["response_ids"]


def test_a_forward_that_a_trace_hides_is_an_error(short_run, tmp_path):
    with pytest.raises(RuntimeError, match=r"HidesAForward reports 16 forwards, the model counted 30; every forward"):
        short_run("llada", "decoder=stepwise", "decoder._target_=tests.planted.HidesAForward")
    assert (only_folder(tmp_path) / "error.json").is_file()


@pytest.mark.parametrize(("family", "planted"), by_turns(FAMILIES, ("BelievesAll", "IgnoresOrder", "StaleContext")))
@pytest.mark.slow
def test_a_wrong_decoder_is_exposed_by_a_run(family, planted, short_run, tmp_path, capsys):
    summary = short_run(family, f"decoder._target_=tests.planted.{planted}", "runtime.dtype=float32")
    assert summary["claims_lossless"] is True
    assert summary["identity"]["algorithmic"] > 0
    assert summary["identity"]["rate"] < 1
    classes = [
        line["first_divergence"] and line["first_divergence"]["class"] for line in lines_of(only_folder(tmp_path))
    ]
    assert classes.count("algorithmic") == summary["identity"]["algorithmic"]
    print_summary(summary, "planted", [1])
    assert "WARNING: this decoder claims to be lossless" in capsys.readouterr().out


@pytest.mark.slow
def test_stepwise_against_itself_is_identical_and_drafts_nothing(family, short_run):
    summary = short_run(family, "decoder=stepwise")
    assert summary["identity"]["rate"] == summary["nfe"]["ratio"] == 1.0
    assert summary["acceptance_length"] == {"mean": 1.0, "rate_by_depth": []}
    assert summary["token_rows"]["reference"] == summary["token_rows"]["decoder"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["model.mask_id=5"], "model.mask_id=5, .* of llada_tiny disagree with the checkpoint's config.json"),
        (["model.end_ids=[4,0]"], r"model.end_ids=\[4, 0\] of llada_tiny disagree"),
        (["model.context_length=40"], r"tiny_math, document 0: a prompt of \d+ tokens .* the model's context has 40"),
        (["model.path=/no/such/folder"], "model.path=/no/such/folder: no such folder"),
        (["generation.gen_length=8192"], r"need \d+ positions, the model's context has 4096; shorten the prompt"),
        (["decoder=fast_dllm", "decoder.scope=global"], "decoder.scope=global with generation.cache=dual: "),
        (
            ["decoder=freedave", "decoder.eager=true", "generation.stop=eos_block"],
            "decoder.eager=true with generation.stop=eos_block: ",
        ),
    ],
)
def test_what_does_not_fit_the_checkpoint_is_refused_before_weights_are_loaded(
    words, message, short_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(loading, "load_model", lambda *arguments: pytest.fail("weights were loaded"))
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        short_run("llada", *words)
    assert not list(tmp_path.iterdir()), "a run that could not start leaves nothing behind"


def test_what_a_decoders_file_holds_is_part_of_the_run(short_run, tmp_path):
    file = tmp_path / "calibration.json"
    words = ("decoder=stepwise", "decoder._target_=tests.campaign.workers.demanding.Demanding", f"+decoder.path={file}")

    def config(content: str) -> dict:
        file.write_text(content)
        return make_plan(composed(*words)).config

    first, second, again = config("{}"), config("[]"), config("{}")
    assert run_id(first) == run_id(again) != run_id(second)
    assert len(first["decoder"]["fingerprints"]) == 1
    assert "fingerprints" not in make_plan(composed()).config["decoder"]


@pytest.mark.slow
def test_a_verifiers_time_is_that_of_the_measured_forwards_alone(short_run, tmp_path, monkeypatch):
    """Its clock ticks once per look, so that a forward takes a second; what the warm-up took belongs to no prompt."""
    file = tmp_path / "any"
    file.touch()
    monkeypatch.setattr(probes, "time", SimpleNamespace(perf_counter=count(step=1.0).__next__))
    words = ("decoder=stepwise", "decoder._target_=tests.campaign.workers.demanding.Demanding", f"+decoder.path={file}")
    summary = short_run("llada", *words, f"results_dir={tmp_path / 'results'}", "runtime.warmup=2")
    forwards = 16 - 2  # the forward that opens a block follows no draft
    assert summary["verifier_s"] == {"reference": 0.0, "decoder": forwards}
    for line in lines_of(only_folder(tmp_path / "results")):
        assert (line["reference"]["verifier_s"], line["decoder"]["verifier_s"]) == (0.0, forwards)


@pytest.mark.parametrize(
    ("words", "compared_with", "caveat"),
    [
        (["decoder=freedave"], "stepwise decoding", None),
        (["decoder=freedave", "decoder.threshold=0.3", "decoder.rule=exact_match"], "threshold 0.3", None),
        (["decoder=freedave", "decoder.threshold=0.3"], "threshold 0.3", "decoder.rule=subset accepts a part"),
        (["decoder=freedave", "decoder.eager=true"], "stepwise decoding", "decoder.eager decides tokens"),
        (["decoder=psd", "decoder.rule=factor", "decoder.factor=2"], "factor 2", None),
        (["decoder=ssd", "generation.cache=none"], "stepwise decoding", None),
    ],
)
@pytest.mark.slow
def test_a_summary_says_what_it_compares_and_what_is_lossy(words, compared_with, caveat, short_run, capsys):
    summary = short_run("llada", *words)
    assert summary["compared_with"].endswith(compared_with)
    assert summary["claims_lossless"] is (caveat is None)
    assert caveat is None or summary["caveat"].startswith(caveat)
    capsys.readouterr()
    print_summary(summary, "title", [1])
    printed = capsys.readouterr().out
    assert (f"reference: {summary['compared_with']}" in printed) == (compared_with != "stepwise decoding")
    assert (f"WARNING: not lossless in this mode: {summary['caveat']}" in printed) == (caveat is not None)
    assert "WARNING: this decoder claims" not in printed
    approximation = None if "generation.cache=none" in words else RefreshedCache.caveat
    assert summary["cache_caveat"] == approximation
    assert printed.count("cache: an approximation on both sides") == (approximation is not None)
    if caveat is None:
        assert summary["identity"]["identical"] == summary["prompts"]
        assert summary["identity"]["same_commit_order"] == 1.0


def test_other_documents_are_another_run(tmp_path):
    file = tmp_path / "questions.jsonl"
    ids = []
    for number in (1, 2):
        file.write_text(json.dumps({"question": f"What is {number}?", "answer": f"#### {number}"}) + "\n")
        ids.append(run_id(make_plan(composed("task=gsm8k", f"task.path={file}")).config))
    assert ids[0] != ids[1]


def test_the_checkpoint_is_what_the_preset_expects(checkpoints, family):
    """The random checkpoints stand in for the trained ones: same ids, same context, a chat template."""
    from ssd.modeling.checkpoint import load_tokenizer, read_config

    preset = composed(f"model={family}_tiny").model
    config = read_config(checkpoints[family])
    assert (config.mask_id, config.end_id, config.context_length) == (1, 0, preset.context_length)
    tokenizer = load_tokenizer(checkpoints[family])
    assert tokenizer.mask_token_id == preset.mask_id
    assert [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|im_end|>")] == list(preset.end_ids)
    assert tokenizer.chat_template
