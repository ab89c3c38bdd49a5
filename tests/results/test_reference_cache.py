"""The reference's responses: decoded once for all runs that ask for them, exact to the last bit, safe to share."""

import json
import math
import multiprocessing
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from baselines.fast_dllm import FastDLLM
from baselines.stepwise import Stepwise
from ssd.commands.audit import main as audit
from ssd.config.plan import make_plan
from ssd.decoding.block_decoder import BlockDecoder
from ssd.decoding.commit_rule import CommitRule
from ssd.decoding.decoder import Decoded
from ssd.decoding.trace import KINDS, Event, Pick, Trace
from ssd.report.console.grid_table import Run, print_comparison
from ssd.report.console.run_table import print_summary
from ssd.results import environment
from ssd.results.records import Timed
from ssd.results.reference_cache import FOLDER, References, references_of
from ssd.results.summary_schema import Speed
from tests.effort import some
from tests.models import FAMILIES
from tests.runs import composed, lines_of

UNTIMED = "runtime.timing=false"
SECONDS = ("latency_s", "time_s", "model_s", "verifier_s", "predicted_s")

counts = st.lists(st.integers(0, 9), max_size=3).map(tuple)
picks = st.builds(Pick, st.integers(0, 99), st.integers(0, 99), st.floats(allow_nan=False))
events = st.builds(
    Event,
    st.sampled_from(KINDS),
    *[st.integers(0, 99)] * 4,
    st.lists(picks, max_size=3).map(tuple),
    *[counts] * 3,
)
responses = st.builds(
    Timed,
    st.builds(Decoded, st.lists(st.integers(0, 99), max_size=5), st.builds(Trace, st.lists(events, max_size=4))),
    *[st.none()] * 4,
    st.floats(0, 99),
)


def response(*ids: int) -> Timed:
    trace = Trace([Event("decode", 0, 0, 1, len(ids), (Pick(0, ids[0], math.pi),))], filled=1)
    return Timed(Decoded(list(ids), trace), 1.5, 1.5, 0.0, 1.0, 1.0)


def store(root: Path, **key: object) -> References:
    return References(root, "stepwise", key)


@given(found=responses)
def test_a_response_comes_back_exactly_but_for_its_seconds(found, tmp_path_factory):
    root = tmp_path_factory.mktemp("references")
    assert store(root).find("a", 0) is None
    assert store(root).settle("a", 0, found) is False
    again = store(root).find("a", 0)
    assert again == found.untimed()
    assert [type(event) for event in again.decoded.trace.events] == [Event] * len(again.decoded.trace.events)


def test_the_first_response_stays_and_others_are_told(tmp_path):
    references = store(tmp_path)
    assert references.settle("a", 0, response(1, 2)) is False
    assert references.settle("a", 0, response(1, 2)) is False
    assert references.settle("a", 0, response(1, 3)) is True
    assert references.settle("a", 1, response(1, 3)) is False, "another seed is another response"
    assert references.find("a", 0) == response(1, 2).untimed()
    assert len((references.path / "lines.jsonl").read_bytes().splitlines()) == 2


def test_what_is_of_something_else_lies_elsewhere(tmp_path):
    store(tmp_path, dtype="float32").settle("a", 0, response(1))
    assert store(tmp_path, dtype="float64").find("a", 0) is None
    assert json.loads((store(tmp_path, dtype="float32").path / "key.json").read_text()) == {"dtype": "float32"}


def test_two_readers_see_each_others_lines(tmp_path):
    left, right = store(tmp_path), store(tmp_path)
    left.settle("a", 0, response(1))
    assert right.find("a", 0) == response(1).untimed()
    right.settle("b", 0, response(2))
    assert left.find("b", 0) == response(2).untimed()


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_torn_last_line_is_dropped_and_cut_off(cut, tmp_path):
    references = store(tmp_path)
    for name in "ab":
        references.settle(name, 0, response(1))
    file = references.path / "lines.jsonl"
    whole = file.read_bytes()
    first = whole.find(b"\n") + 1
    file.write_bytes(whole[: first + cut] if cut > 0 else whole[:cut])
    again = store(tmp_path)
    assert again.find("a", 0) is not None
    assert again.find("b", 0) is None
    assert again.settle("b", 0, response(1)) is False
    assert file.read_bytes() == whole


def test_a_damaged_line_is_named(tmp_path):
    references = store(tmp_path)
    references.settle("a", 0, response(1))
    with (references.path / "lines.jsonl").open("ab") as file:
        file.write(b"{]\n")
    with pytest.raises(ValueError, match=r"lines\.jsonl: a line is no reference .* delete this file"):
        store(tmp_path).find("b", 0)


def put_all(root: Path, begin) -> None:
    references = store(root)
    begin.wait()
    for number in range(40):
        references.settle(str(number), 0, response(number))


def test_processes_that_write_at_once_leave_every_line_once(tmp_path):
    context = multiprocessing.get_context("fork")
    begin = context.Barrier(3)
    writers = [context.Process(target=put_all, args=(tmp_path, begin)) for _ in range(begin.parties)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * len(writers)
    lines = [json.loads(line) for line in (store(tmp_path).path / "lines.jsonl").read_text().splitlines()]
    assert sorted(int(line["prompt_sha256"]) for line in lines) == list(range(40))


@pytest.mark.parametrize("begun_anew", [False, True])
def test_a_store_that_is_deleted_under_a_process_begins_anew(begun_anew, tmp_path):
    references = store(tmp_path)
    references.settle("a", 0, response(1))
    shutil.rmtree(references.path)
    if begun_anew:
        store(tmp_path).settle("longer than a", 0, response(1, 2, 3))
    references.settle("b", 0, response(2))
    lines = (references.path / "lines.jsonl").read_text().splitlines()
    expected = ["longer than a", "b"] if begun_anew else ["b"]
    assert [json.loads(line)["prompt_sha256"] for line in lines] == expected
    assert (references.path / "key.json").is_file()


@pytest.mark.parametrize(
    ("words", "others"),
    [
        ("generation.steps=null", "generation.steps=64"),
        ("generation.temperature=1", "generation.temperature=1.0"),
    ],
)
def test_equal_settings_have_one_reference_however_they_are_spelled(words, others):
    paths = [_path_of(word) for word in (words, others)]
    assert paths[0] == paths[1] != _path_of("generation.steps=32")


def _path_of(word: str) -> Path:
    plan = make_plan(composed(word))
    return references_of(plan, environment.describe(plan.runtime.torch_device()))["reference"].path


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """The names of all decoders that have decoded a response, one entry per response."""
    names: list[str] = []
    decode = BlockDecoder.decode

    def watch(self, *arguments, **named):
        names.append(type(self).__name__)
        return decode(self, *arguments, **named)

    monkeypatch.setattr(BlockDecoder, "decode", watch)
    return names


@pytest.mark.slow
@pytest.mark.parametrize("batch", ["runtime.batch_size=1", "runtime.batch_size=2"])
def test_runs_that_time_nothing_share_one_reference(batch, short_run, tmp_path, decoded):
    words = (UNTIMED, batch, "runtime.reference=chain")
    first = short_run("llada", *words)
    assert decoded.count(Stepwise.__name__) == 2 * 3, "with a cache and without, no warm-up"
    second = short_run("llada", *words, "decoder.depth=2", "runtime.traces=true")
    assert decoded.count(Stepwise.__name__) == 2 * 3
    assert decoded.count("SelfSpeculative") == 2 * 3
    lines = [lines_of(tmp_path / summary["run_id"]) for summary in (first, second)]
    for line, other in zip(*lines, strict=True):
        assert (line["reference"], line["uncached"]) == (other["reference"], other["uncached"])
        traces = tmp_path / second["run_id"] / "traces" / f"{line['index']:06d}-0.json"
        assert len(json.loads(traces.read_text())["reference"]) == sum(line["reference"]["nfe"].values())
    assert first["identity"]["rate"] == second["identity"]["rate"] == 1.0
    short_run("llada", *words, "generation.block_length=16")
    assert decoded.count(Stepwise.__name__) == 2 * 2 * 3, "of other settings it is another reference"


@pytest.mark.parametrize("family", some(FAMILIES, 2))
@pytest.mark.slow
def test_what_is_not_timed_agrees_with_what_is(family, short_run, tmp_path):
    timed, untimed = (short_run(family, word) for word in ("runtime.timing=true", UNTIMED))
    assert timed["run_id"] != untimed["run_id"]
    for line, other in zip(*(lines_of(tmp_path / run["run_id"]) for run in (timed, untimed)), strict=True):
        for side in ("reference", "decoder"):
            assert {other[side].pop(name) for name in SECONDS} == {None}
            assert other[side] == {name: value for name, value in line[side].items() if name not in SECONDS}
        assert other.pop("peak_memory_mib") is None
        for name in set(other) - {"reference", "decoder"}:
            assert other[name] == line[name]
    assert {untimed[name] for name in Speed.__annotations__} == {None}
    assert set(timed) == set(untimed)
    for name in set(timed) - {*Speed.__annotations__, "run_id"}:
        assert timed[name] == untimed[name]


@pytest.mark.slow
def test_readers_of_results_do_without_times(short_run, tmp_path, capsys):
    words = (UNTIMED, "runtime.reference=chain")
    runs = []
    for summary in (short_run("llada", *words), short_run("llada", *words, "decoder.depth=2")):
        config = yaml.safe_load((tmp_path / summary["run_id"] / "config.yaml").read_text())
        runs.append(Run(config, summary))
    capsys.readouterr()
    print_summary(runs[0].summary, "title", [1])
    printed = capsys.readouterr().out
    assert "nothing was timed (runtime.timing=false)" in printed
    assert not any(word in printed for word in ("wall clock", "latency p", "ms per", "tokens per s", "times as fast"))
    assert printed.count("link: ") == 3
    print_comparison(runs)
    assert capsys.readouterr().out.count(" - ") == 2
    assert audit([run.summary["run_id"] for run in runs] + ["--results", str(tmp_path), "--replay"]) == 0
    assert (tmp_path / FOLDER).is_dir(), "and references are no run"


@pytest.mark.slow
def test_options_of_timing_are_no_part_of_a_run_that_times_nothing(short_run, tmp_path):
    first = short_run("llada", UNTIMED)
    assert short_run("llada", UNTIMED, "runtime.warmup=3", "runtime.predict=true") == first
    assert short_run("llada", "runtime.warmup=0")["run_id"] != short_run("llada", "runtime.warmup=1")["run_id"]


@pytest.mark.slow
def test_a_reference_that_does_not_repeat_itself_is_told(short_run, tmp_path, monkeypatch, capsys):
    assert short_run("llada", UNTIMED)["reference_drift"] == 0
    (file,) = (tmp_path / FOLDER).glob("*/lines.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[1]["response_ids"][0] += 1
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    capsys.readouterr()
    summary = short_run("llada")
    assert summary["reference_drift"] == 1
    assert summary["identity"]["rate"] == 1.0, "the pair itself was decoded anew, and is compared with itself"
    assert [line["reference_drift"] for line in lines_of(tmp_path / summary["run_id"])] == [False, True, False]
    print_summary(summary, "title", [1])
    assert "WARNING: 1 responses of the reference differ" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_that_times_decodes_its_own_reference_every_time(short_run, decoded):
    short_run("llada", UNTIMED)
    short_run("llada")
    short_run("llada", "decoder.depth=2")
    assert decoded.count(Stepwise.__name__) == 3 * 3


@dataclass
class SaysLittle(CommitRule):
    """A rule whose text does not name its option."""

    least: float = 0.5

    def passes(self, signals, masked, order):
        return signals.probability >= self.least

    def __str__(self) -> str:
        return "a rule"


def test_rules_of_other_options_have_other_references():
    words = ("decoder=psd", "model=llada_tiny", "task=tiny_math", "runtime.device=cpu", "runtime.limit=1", UNTIMED)
    plan, circumstances = make_plan(composed(*words)), dict.fromkeys(environment.MUST_MATCH)
    found = {
        references_of(replace(plan, reference=FastDLLM(commit=rule)), circumstances)["reference"].path
        for rule in (SaysLittle(0.5), SaysLittle(0.9), SaysLittle(0.9))
    }
    assert len(found) == 2


def test_equal_references_are_shared_however_they_were_made():
    words = ("model=llada_tiny", "task=tiny_math", "runtime.device=cpu", UNTIMED)
    circumstances = dict.fromkeys(environment.MUST_MATCH)
    paths = {
        references_of(make_plan(composed(*words, *own.split())), circumstances)["reference"].path
        for own in ("decoder=psd", "decoder=psd decoder.factor=2.0", "decoder=freedave decoder.threshold=0.9")
    }
    assert len(paths) == 1
