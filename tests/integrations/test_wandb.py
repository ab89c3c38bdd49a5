"""Weights & Biases, offline: what was written is read back from the file that `wandb sync` would upload."""

import json
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from ssd.config.plan import make_plan
from ssd.integrations.wandb import OF_A_SIDE, WandbTracker
from ssd.results.reader import read_run
from tests.report.synthetic import write_run
from tests.runs import composed

pytestmark = pytest.mark.slow

BLOCK, HEAD = 32768, 7
LAST_OF_A_RECORD = (1, 4)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was logged, after a first log that ended in the middle."""
    folder = write_run(tmp_path_factory.mktemp("results"), "ssd")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssd.integrations.wandb.draw", lambda *_: (_ for _ in ()).throw(ValueError("no figures")))
        with pytest.raises(ValueError, match="no figures"):
            WandbTracker("decoders").log(folder)
    assert WandbTracker("decoders").log(folder) == str(folder / "wandb")
    return folder


def records(folder: Path) -> list[Any]:
    """What the run's .wandb file holds: protobuf records in LevelDB's log format, behind a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    (file,) = (folder / "wandb").glob("offline-run-*/*.wandb")
    content, place, part, found = file.read_bytes(), HEAD, b"", []
    while place + HEAD <= len(content):
        if BLOCK - place % BLOCK < HEAD:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + HEAD])
        part += content[place + HEAD : place + HEAD + length]
        place += HEAD + length
        if kind in LAST_OF_A_RECORD:
            found.append(Record.FromString(part))
            part = b""
    return found


def updated(items: Any) -> dict[str, Any]:
    return {item.key: json.loads(item.value_json) for item in items if item.key}


def test_configuration_and_summary_can_be_read_back(logged):
    stored = read_run(logged)
    (run,) = [record.run for record in records(logged) if record.WhichOneof("record_type") == "run"]
    assert (run.run_id, run.project) == (logged.name, "decoders")
    config = updated(run.config.update)
    assert config["decoder"] == stored.config["decoder"]
    assert config["environment"]["device_name"] == stored.environment["device_name"]
    summary: dict[str, Any] = {}
    for record in records(logged):
        if record.WhichOneof("record_type") == "summary":
            summary |= updated(record.summary.update)
    assert {key: summary[key] for key in stored.summary} == stored.summary


def test_every_sample_is_a_row_of_the_table(logged):
    (file,) = (logged / "wandb").glob("offline-run-*/files/media/table/*.json")
    table, lines = json.loads(file.read_text()), read_run(logged).lines
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    assert {f"{side}.{name}" for side in ("reference", "decoder") for name in OF_A_SIDE} < set(table["columns"])
    assert [(row["index"], row["decoder.text"]) for row in rows] == [
        (line["index"], line["decoder"]["text"]) for line in lines
    ]
    assert rows[0]["reference.nfe"] == sum(lines[0]["reference"]["nfe"].values())


def test_the_report_s_figures_of_the_run_are_there(logged):
    images = {file.name.rpartition("_")[0] for file in (logged / "wandb").rglob("*.png")}
    assert any(name.startswith("latency") for name in images)


def test_a_run_is_logged_once(logged):
    assert WandbTracker("decoders").log(logged) is None


def test_a_run_that_was_logged_in_part_is_logged_anew(logged):
    assert len(list((logged / "wandb").glob("offline-run-*"))) == 1


def test_the_plain_word_is_enough_and_nothing_is_tracked_without_it():
    assert make_plan(composed()).tracker is None
    tracker = make_plan(composed("tracker=wandb", "tracker.project=mine")).tracker
    assert (tracker.project, tracker.mode) == ("mine", "offline")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tracker.project="], "tracker.project=: expected a path or a name"),
        (["tracker.mode=shared"], "tracker.mode=shared: expected one of offline, online"),
        (["+tracker.colour=red"], "tracker.colour is not an option; expected one of project, mode, entity"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_measured(words, message):
    with pytest.raises(ValueError, match=message):
        make_plan(composed("tracker=wandb", *words))


def test_a_missing_library_is_told_before_anything_is_measured(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(
        ValueError, match=r"tracker=wandb: wandb is not installed; pip install .*, or pass tracker=none"
    ):
        make_plan(composed("tracker=wandb"))
