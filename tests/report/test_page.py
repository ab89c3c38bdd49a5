"""The report's page and the script that writes it: complete, self-contained, safe, and clear where there is nothing."""

import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from ssd.commands.report import main
from ssd.report.figures import Entry
from ssd.report.page import page, shared_options
from ssd.report.results import load
from ssd.report.write import write_report
from tests.report.synthetic import write_run

HOSTILE = "<script>alert(1)<img src=x onerror=alert(1)>"
LAUNCH = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


class Addresses(HTMLParser):
    """Everything that a page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]


@pytest.fixture(autouse=True)
def _plain_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing the real ones is tested with the figures."""
    plain = Entry("plain", "Plain", "Nothing to see.", "", lambda _, columns: Figure((columns, 1)))
    nothing = Entry("nothing", "Nothing", "Nothing stored.", "", lambda _results, _columns: None)
    monkeypatch.setattr("ssd.report.write.FIGURES", (plain, nothing))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for decoder in ("stepwise", "ssd", "fast_dllm"):
        write_run(tmp_path / "results", decoder, prompts=3)
    write_run(tmp_path / "results", "wino", HOSTILE, prompts=3)
    write_run(tmp_path / "results", "ssd", prompts=2, options={"depth": 3}, status="unfinished")
    return tmp_path / "results"


@pytest.mark.slow
def test_the_page_needs_nothing_but_itself(results: Path, tmp_path: Path) -> None:
    files = write_report(load(results), tmp_path / "report")
    text = files[-1].read_text()
    page = Addresses(text)
    assert files[-1].name == "index.html"
    assert page.found
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.found)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "@import" not in text
    assert "url(" not in text
    assert HOSTILE not in text
    assert "&lt;script&gt;alert(1)" in text
    for address in page.found:
        assert not address.startswith("#") or f'id="{address[1:]}"' in text
    for file in files[:-1]:
        kind = "figure" if file.parent.name == "figures" else "table"
        assert f'id="{kind}-{re.sub("-[12]$", "", file.stem)}"' in text
    assert len([name for name in page.tags if name == "figure"]) == 1


@pytest.mark.slow
def test_the_page_in_a_browser(results: Path, tmp_path: Path, browser_path: str) -> None:
    """No sideways scrolling of the page, at either width; the figure is the one for it."""
    sync_api = pytest.importorskip("playwright.sync_api")
    page_file = write_report(load(results), tmp_path / "report")[-1]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=LAUNCH)
        shown = {}
        page = browser.new_page()
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(page_file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            shown[width] = page.evaluate(
                "[...document.querySelectorAll('img')].find(image => image.offsetParent).currentSrc"
            )
        browser.close()
    assert shown[1280] != shown[390]


@pytest.fixture
def browser_path() -> str:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("needs chromium or google-chrome on the PATH")
    return str(path)


@pytest.mark.slow
def test_the_script_prints_what_it_wrote_and_left_out(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, out = tmp_path / "frames", tmp_path / "report"
    (results / "torn").mkdir()
    (results / "torn" / "config.yaml").write_text("{")
    assert main([str(results), "--out", str(out), "--frames", str(frames)]) == 0
    printed = capsys.readouterr()
    assert "4 finished runs, 14 samples" in printed.out
    assert f"{out / 'tables'}: main.csv/md/tex" in printed.out
    assert f"{out}: index.html" in printed.out
    assert "left out: torn: config.yaml: cannot be read" in printed.err
    assert "unfinished; 2 samples stored" in printed.err
    assert main([str(frames), "--out", str(tmp_path / "again")]) == 0
    for table in (out / "tables").iterdir():
        assert (tmp_path / "again" / "tables" / table.name).read_text() == table.read_text()


def test_only_what_is_named(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(results), "--out", str(tmp_path / "report"), "--only", "main", "plain"]) == 0
    written = {path.relative_to(tmp_path / "report") for path in (tmp_path / "report").rglob("*.*")}
    assert {path.parent.name for path in written} == {"figures", "tables"}
    assert {path.stem.partition("-")[0] for path in written} == {"main", "plain"}
    with pytest.raises(SystemExit):
        main([str(results), "--only", "no-such"])
    assert "invalid choice: 'no-such'" in capsys.readouterr().err


def test_what_the_runs_cannot_fill_is_an_error_with_the_runs_that_would(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(tmp_path / "results", "ssd", prompts=2)
    words = [str(tmp_path / "results"), "--out", str(tmp_path / "report"), "--only"]
    assert main([*words, "projected"]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(
        "error: --only projected: this finished run has nothing to show in it; it needs a run with runtime.traces=true"
    )
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "report").exists()
    assert main([*words, "policies", "main"]) == 1, "what the runs can fill is written all the same"
    printed = capsys.readouterr()
    assert printed.err == (
        "error: --only policies: this finished run has nothing to show in it; "
        "it needs two runs that differ in generation.cache\n"
    )
    assert (tmp_path / "report" / "tables" / "main.md").is_file()


def test_the_page_has_the_settings_that_all_runs_share(tmp_path: Path) -> None:
    for decoder, generation in (("ssd", {"temperature": 0.5}), ("freedave", {"eos": "suppress_logits"})):
        write_run(tmp_path, decoder, prompts=1, generation=generation)
    write_run(tmp_path, "ssd", prompts=1, generation={"gen_length": 64}, status="unfinished")
    shown = shared_options(load(tmp_path).done)
    assert shown == (
        "generation.gen_length=32, generation.block_length=16, generation.cache=dual, "
        "generation.confidence_dtype=float64, generation.seed=0, runtime.dtype=bfloat16, runtime.numerics=native"
    )
    assert shown in page(load(tmp_path), [], [])


def test_the_page_names_a_shared_commit_rule_as_the_command_line_does(tmp_path: Path) -> None:
    write_run(tmp_path, "psd", prompts=1, options={"commit": {"_target_": "baselines.rules.eb.EntropyBounded"}})
    assert shared_options(load(tmp_path).done).endswith(", decoder/commit=eb")


@pytest.mark.slow
def test_what_an_earlier_report_left_is_removed_and_nothing_else(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    stale = [out / "figures" / "nothing-2.pdf", out / "tables" / "trees.csv"]
    others = [out / "figures" / "mine.pdf", out / "tables" / "trees.xlsx", out / "notes.txt"]
    for file in (*stale, *others):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    write_report(load(results), out, ["main"])
    assert all(file.exists() for file in (*stale, *others))
    files = write_report(load(results), out)
    assert not any(file.exists() for file in stale)
    assert all(file.exists() for file in (*files, *others))


def test_one_clear_line_where_there_is_nothing_to_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error(folder: Path) -> str:
        assert main([str(folder), "--out", str(tmp_path / "report")]) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.count("\n") == 1
        assert not (tmp_path / "report").exists()
        return printed.err

    empty, corrupt, unfinished = (tmp_path / name for name in ("empty", "corrupt", "unfinished"))
    empty.mkdir()
    assert "no such folder" in error(tmp_path / "nowhere")
    assert "holds no runs; measure one first: python run.py" in error(empty)
    (write_run(corrupt, prompts=2) / "config.yaml").write_text("a: [")
    assert re.search(r"none of its 1 runs can be read; .*config.yaml: cannot be read", error(corrupt))
    write_run(unfinished, prompts=2, status="unfinished")
    write_run(unfinished, prompts=3, options={"depth": 3}, status="failed")
    assert "none of its 2 runs is finished (1 failed, 1 unfinished)" in error(unfinished)
    damaged = write_run(tmp_path / "damaged", prompts=2)
    (damaged / "summary.json").write_text('{"schema": 1, "status": "done"}')
    assert f"{damaged.name}: summary.json: without prompts, " in error(tmp_path / "damaged")


def test_an_output_folder_that_cannot_be_written(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report").write_text("a file")
    assert main([str(results), "--out", str(tmp_path / "report")]) == 1
    assert str(tmp_path / "report") in capsys.readouterr().err
