"""From stored lines to audit.json, by hand; what lies broken on the disk is told in one line."""

import json
from pathlib import Path

import pytest
import yaml

from ssd.audit.reproduce import choose
from ssd.audit.summary import audit, cases_of, histogram
from ssd.results.reader import StoredRun, find_run, read_lines, read_run


def divergence(kind: str, token: float | None = 0.25, position: float | None = 0.0, picks: str = "reference") -> dict:
    return {
        "index": 7,
        "token_margin": token,
        "position_margin": position,
        "class": kind,
        "float64": {"token_margin": token, "position_margin": position, "picks": picks},
    }


def line(index: int, repeat: int = 0, response: dict | None = None, order: dict | None = None) -> dict:
    return {
        "schema": 1,
        "index": index,
        "repeat": repeat,
        "identical": response is None,
        "same_commit_order": response is None and order is None,
        "first_divergence": response,
        "order_divergence": order,
    }


LINES = [
    line(0),
    line(1, response=divergence("numeric", 0.25)),
    line(1, 1, response=divergence("algorithmic", 3.0)),
    line(2, order=divergence("numeric", 0.0, 0.01, "decoder")),
    line(3, order=divergence("algorithmic", None)),
    line(4, order=divergence("numeric", 0.0, 0.02, "both")),
]


def stored(lines: list[dict], claims_lossless: bool | None = True) -> StoredRun:
    summary = None if claims_lossless is None else {"claims_lossless": claims_lossless}
    return StoredRun(Path("results/a-run"), {"decoder": {"lossless": True}}, {}, lines, summary)


def test_every_figure_by_hand():
    report = audit(stored(LINES))
    assert report["run_id"] == "a-run"
    assert report["samples"] == 6
    assert report["identity"] == {"rate": 4 / 6, "identical": 4, "numeric": 1, "algorithmic": 1}
    assert report["order"] == {"rate": 1 / 6, "same": 1, "numeric": 2, "algorithmic": 1, "unexplained": 0}
    assert report["token_margins"] == {
        "numeric": {"0": 2, "1e-1": 1, "none": 0},
        "algorithmic": {"0": 0, "1e0": 1, "none": 1},
    }
    assert report["float64"] == {"reference": 3, "decoder": 1, "both": 1, "neither": 0, "unknown": 0}
    assert report["numeric_without_float64"] == 3
    assert report["failures"] == [
        "sample 1, repeat 1: another response (algorithmic)",
        "sample 3: the same response, committed in another order (algorithmic)",
    ]
    assert report["fails"] is True
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_differences_of_a_lossy_decoder_are_no_failures():
    report = audit(stored(LINES, claims_lossless=False))
    assert (report["fails"], report["failures"]) == (False, [])
    assert report["cases"] == audit(stored(LINES))["cases"]


def test_numeric_verdicts_that_float64_has_confirmed_stand_with_it():
    confirmed = divergence("numeric")
    confirmed["float64"] |= {"same_steps": True, "node_difference": 1e-15}
    lines = [line(0, response=confirmed), line(1, order=confirmed), line(2, response={**confirmed, "float64": None})]
    assert audit(stored(lines))["numeric_without_float64"] == 1


def test_cases_come_with_the_largest_margin_first_and_keep_their_place():
    cases = cases_of(LINES)
    assert [(case["index"], case["repeat"]) for case in cases] == [(3, 0), (1, 1), (1, 0), (4, 0), (2, 0)]
    assert [case["differs"] for case in cases] == ["order", "response", "response", "order", "order"]
    assert {case["position"] for case in cases} == {7}


@pytest.mark.parametrize(("claims", "fails"), [(True, True), (False, False), (None, True)])
@pytest.mark.parametrize("wrong", [LINES[2], LINES[4]], ids=["response", "order"])
def test_only_a_run_that_claims_to_be_lossless_can_fail(claims, fails, wrong):
    """An unfinished run has no summary; its configuration claims to be lossless."""
    report = audit(stored([LINES[0], wrong], claims))
    assert (report["fails"], report["finished"]) == (fails, claims is not None)


def test_rounding_fails_no_run():
    assert audit(stored([LINES[0], LINES[1], LINES[3]]))["fails"] is False


@pytest.mark.parametrize(
    ("margins", "counts"),
    [
        ([], {"0": 0, "none": 0}),
        ([0.0, None, None], {"0": 1, "none": 2}),
        (
            [1.0, 9.99, 0.001, 1e-5],
            {"0": 0, "1e-5": 1, "1e-4": 0, "1e-3": 1, "1e-2": 0, "1e-1": 0, "1e0": 2, "none": 0},
        ),
    ],
)
def test_histograms(margins, counts):
    assert histogram(margins) == counts
    assert list(histogram(margins)) == list(counts)


@pytest.mark.parametrize(("identical", "kept"), [(0, []), (1, [0]), (2, [0, 5]), (4, [0, 2, 5, 7]), (99, range(10))])
def test_divergent_samples_are_all_decoded_again_and_identical_ones_spread(identical, kept):
    lines = [line(index) for index in range(10)] + [LINES[1], LINES[4]]
    assert [sample["index"] for sample in choose(lines, identical)] == [*kept, 1, 3]


def write(folder: Path, *lines: bytes) -> Path:
    folder.mkdir()
    (folder / "config.yaml").write_text(
        yaml.safe_dump({group: {"name": "any"} for group in ("decoder", "model", "task")})
    )
    (folder / "environment.json").write_text('{"schema": 1}')
    (folder / "summary.json").write_text('{"schema": 1, "claims_lossless": true}')
    (folder / "done.json").write_text("{}")
    (folder / "samples.jsonl").write_bytes(b"".join(lines))
    return folder


SAMPLE = json.dumps(line(0)).encode() + b"\n"


def test_a_run_is_read_as_it_lies_there(tmp_path):
    folder = write(tmp_path / "run", SAMPLE, SAMPLE, SAMPLE[:20])
    before = (folder / "samples.jsonl").read_bytes()
    run = read_run(folder)
    assert run.lines == [line(0)] * 2, "a torn last line does not count"
    assert run.claims_lossless is True
    assert (folder / "samples.jsonl").read_bytes() == before
    (folder / "done.json").unlink()
    assert read_run(folder).summary is None
    assert find_run(str(folder), tmp_path / "elsewhere") == find_run("run", tmp_path) == folder


BROKEN = [
    b"not JSON\n",
    b"\xff\n",
    b"[1]\n",
    b'{"schema": 1}\n',
    SAMPLE.replace(b'"identical": true', b'"identical": false'),
]


@pytest.mark.parametrize("broken", [*BROKEN, json.dumps(line(0, response=divergence("odd"))).encode() + b"\n"])
def test_a_corrupt_line_is_named(broken, tmp_path):
    folder = write(tmp_path / "run", SAMPLE, broken, SAMPLE)
    with pytest.raises(ValueError, match=r"samples\.jsonl, line 2: not a sample .*overwrite=true"):
        read_lines(folder / "samples.jsonl")


def test_a_run_without_samples_has_nothing_to_audit(tmp_path):
    with pytest.raises(ValueError, match="no samples yet"):
        read_run(write(tmp_path / "run"))


@pytest.mark.parametrize("name", ["config.yaml", "environment.json", "summary.json"])
@pytest.mark.parametrize("content", [b"{", b"\xff", b"[]"])
def test_a_file_that_cannot_be_read_is_named(name, content, tmp_path):
    folder = write(tmp_path / "run", SAMPLE)
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}: .*overwrite=true"):
        read_run(folder)


def test_a_run_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing: no such run; expected a run's folder or a run id under"):
        find_run("nothing", tmp_path)
