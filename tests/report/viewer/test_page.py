"""The page in a browser: what it shows is what the traces say, and it does nothing else."""

import itertools
import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import ssd
from baselines.freedave import FreeDave
from ssd.commands.trace import main
from ssd.config.plan import make_plan
from ssd.report.viewer.contents import contents
from ssd.report.viewer.page import page as page_of
from ssd.results.reader import read_run
from ssd.run.runner import run
from tests.checkpoints import write_tiny_checkpoint
from tests.runs import composed, short_words

pytestmark = pytest.mark.slow

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>\u2028"
BEST_FIRST = ("decoder=ssd", "decoder.builder=best_first", "decoder.budget=9")
# A random model is never sure: these make every mark appear, divergences and picks that are taken back too.
RUNS = {
    "ssd": BEST_FIRST,
    "freedave": ("decoder=freedave",),
    "wino": ("decoder=wino", "decoder.threshold=0.01", "decoder.threshold_back=0.5"),
    "apd": ("decoder=apd", "decoder.mixture_weight=0.9"),
}
LAUNCH = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")
def tab() -> Iterator[Any]:
    """One page of one headless Chromium for all of these tests; without one they are skipped, but not in CI."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        reason = "the trace viewer's tests need Python's playwright, and chromium or google-chrome on the PATH"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=LAUNCH)
        yield launched.new_page()
        launched.close()


@dataclass
class Shown:
    """The open page, what it complained of, and what it asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def count(self, side: str, name: str) -> int:
        return int(self.page.text_content(f"#{side} [data-count={name}]"))

    def counts(self, side: str) -> tuple[int, int]:
        return self.count(side, "forwards"), self.count(side, "tokens")

    def press(self, key: str, times: int = 1) -> None:
        for _ in range(times):
            self.page.keyboard.press(key)

    def kinds(self, side: str) -> Counter[str]:
        """How many cells of a side are of each kind."""
        names = self.page.eval_on_selector_all(f"#{side} .response .cell", "cells => cells.map(cell => cell.className)")
        return Counter(name.split()[1] for name in names)


@pytest.fixture
def show(tab) -> Iterator[Any]:
    """Opens a file at a width; afterwards nothing may have been complained of, and nothing asked of any network."""
    shown, opened = Shown(tab), []
    listeners = {
        "console": lambda message: shown.complaints.append(message.text),
        "pageerror": lambda error: shown.complaints.append(str(error)),
        "dialog": lambda dialog: (shown.complaints.append(dialog.message), dialog.dismiss()),
        "request": lambda request: shown.requests.append(request.url),
    }
    for event, listener in listeners.items():
        tab.on(event, listener)

    def call(file: Path, width: int = 1280, scheme: str = "light") -> Shown:
        tab.mouse.move(0, 0)
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(color_scheme=scheme)
        tab.goto(file.as_uri())
        opened.append(file.as_uri())
        return shown

    yield call
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    assert shown.complaints == []
    assert [url for url in shown.requests if not url.startswith("data:")] == opened


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of measured runs, each with its page beside its traces."""
    root = tmp_path_factory.mktemp("viewer")
    checkpoint = write_tiny_checkpoint(root / "llada", "llada")
    folders = {}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("GIT_DIR", os.devnull)
        for name, words in RUNS.items():
            plan = make_plan(composed(*short_words(checkpoint, "llada", root), "runtime.traces=true", *words))
            folders[name] = root / run(plan)["run_id"]
            assert main([str(folders[name])]) == 0
    return folders


def trace_of(folder: Path, side: str, index: int = 0) -> list[dict]:
    return json.loads((folder / "traces" / f"{index:06d}-0.json").read_text())[side]


def tallies(events: list[dict]) -> list[tuple[int, int]]:
    """(forwards, tokens held) after each forward, from (0, 0) on."""
    held: set[int] = set()
    found = [(0, 0)]
    for event in events:
        if event["kind"] != "verifier":
            held -= set(event["revoked"])
            held |= {position for position, *_ in event["picks"]}
            found.append((len(found), len(held)))
    return found


@pytest.mark.parametrize("name", RUNS)
def test_stepping_shows_what_each_forward_did(name, runs, show):
    shown = show(runs[name] / "trace.html")
    events = trace_of(runs[name], "decoder")
    expected = tallies(events)
    forwards = [event for event in events if event["kind"] != "verifier"]
    assert shown.counts("decoder") == expected[0]
    for event, before, after in zip(forwards, expected, expected[1:], strict=False):
        shown.press("ArrowRight")
        if event["draft"]:
            assert shown.counts("decoder") == before
            drafted = {position for node in event["draft"] for position, _ in node["picks"]}
            assert shown.kinds("decoder")["drafted"] == len(drafted)
            assert shown.page.locator("#tree .node").count() == event["nodes"]
            shown.press("ArrowRight")
            check_outcome(shown, event)
        assert shown.counts("decoder") == after
        assert shown.page.locator("#decoder .response .cell.revoked").count() == len(
            set(event["revoked"]) - {position for position, *_ in event["picks"]}
        )
        names, values = (shown.page.locator(f"#decoder .facts {tag}").all_text_contents() for tag in ("dt", "dd"))
        facts = dict(zip(names, values, strict=True))
        assert facts["kind"] == event["kind"]
        assert [int(facts[key]) for key in ("block", "step", "nodes", "rows")] == [
            event[key] for key in ("block", "step", "nodes", "rows")
        ]
    shown.press("ArrowRight")
    assert shown.counts("decoder") == expected[-1], "the end is the end"
    if name == "wino":
        assert any(event["revoked"] for event in events), "the run was to show picks taken back"


def check_outcome(shown: Shown, event: dict) -> None:
    """Accepted, rejected and bonus, in the response and in the tree, are those of the event."""
    accepted = {tuple(pick) for node in event["draft"] if node["accepted"] for pick in node["picks"]}
    committed = {tuple(pick[:2]) for pick in event["picks"]}
    assert accepted <= committed
    now = shown.page.locator("#decoder .response .cell.now")
    names = [name.split()[1] for name in now.evaluate_all("cells => cells.map(cell => cell.className)")]
    assert names.count("accepted") == len(accepted)
    assert names.count("bonus") == len(committed - accepted)
    drafted = {position for node in event["draft"] for position, _ in node["picks"]}
    assert names.count("rejected") == len(drafted - {position for position, _ in committed})
    nodes = [node["accepted"] for node in event["draft"]]
    assert shown.page.locator("#tree .node.accepted").count() == sum(nodes)
    assert shown.page.locator("#tree .node.rejected").count() == len(nodes) - sum(nodes)


def test_the_reference_is_aligned_by_tokens_or_by_forwards(runs, show):
    shown, folder = show(runs["ssd"] / "trace.html"), runs["ssd"]
    reference, decoder = (tallies(trace_of(folder, side)) for side in ("reference", "decoder"))
    assert len(decoder) < len(reference)
    shown.press("End")
    assert shown.counts("decoder") == decoder[-1]
    assert shown.counts("reference") == reference[-1]
    while shown.count("decoder", "forwards") > 3:
        shown.press("ArrowLeft")
    tokens = shown.count("decoder", "tokens")
    assert shown.counts("reference") == max(tally for tally in reference if tally[1] <= tokens)
    shown.page.check("input[value=forwards]")
    assert shown.counts("decoder") == decoder[3], "another alignment is another look at the same moment"
    assert shown.counts("reference") == reference[3]
    shown.page.locator("#slider").focus()
    shown.press("End")
    assert shown.counts("reference") == reference[-1]
    assert shown.counts("decoder") == decoder[-1]
    shown.press("Home")
    assert shown.counts("reference") == shown.counts("decoder") == (0, 0)


def test_the_slider_the_buttons_and_the_samples(runs, show):
    shown = show(runs["freedave"] / "trace.html")
    shown.page.locator("#slider").fill(shown.page.get_attribute("#slider", "max"))
    assert shown.counts("decoder") == tallies(trace_of(runs["freedave"], "decoder"))[-1]
    shown.page.click("#start")
    assert shown.counts("decoder") == (0, 0)
    shown.page.click("#forth")
    assert shown.count("decoder", "forwards") == 1
    shown.page.click("#back")
    shown.page.select_option("#sample", index=2)
    shown.page.click("#end")
    assert shown.counts("decoder") == tallies(trace_of(runs["freedave"], "decoder", 2))[-1]
    shown.page.click("#play")
    assert shown.page.text_content("#play") == "pause"
    shown.page.locator("#decoder [data-count=forwards]", has_text=re.compile("^2$")).wait_for()
    shown.page.evaluate("document.activeElement.blur()")
    shown.press(" ")
    assert shown.page.text_content("#play") == "play"


def test_the_end_shows_the_stored_response(runs, show):
    for name in RUNS:
        shown = show(runs[name] / "trace.html")
        shown.press("End")
        line = read_run(runs[name]).lines[0]
        assert shown.kinds("decoder")["masked"] == 0
        filled = len(line["decoder"]["response_ids"]) - line["decoder"]["tokens_total"]
        assert shown.kinds("decoder")["filled"] == filled
        titles = shown.page.locator("#texts pre").all_text_contents()
        assert titles[1:3] == [line["reference"]["text"], line["decoder"]["text"]]
        assert shown.page.locator("#order .square").count() == 2 * len(line["decoder"]["response_ids"])


def test_confidences_are_told_on_hover_and_on_focus(runs, show):
    shown, events = show(runs["ssd"] / "trace.html"), trace_of(runs["ssd"], "decoder")
    position, _, confidence = events[0]["picks"][0]
    shown.press("ArrowRight")
    shown.page.hover(f"#decoder [data-position='{position}']")
    hint = shown.page.locator("#hint")
    assert f"confidence {confidence:.3g}"[:15] in hint.inner_text()
    assert "committed by forward 1" in hint.inner_text()
    shown.page.hover("#title")
    assert hint.is_hidden()
    shown.page.locator("#decoder [data-position='0']").focus()
    assert hint.is_visible()
    shown.press("ArrowDown", 3)
    assert hint.inner_text().startswith("position 3")
    shown.press("ArrowRight")
    node = events[1]["draft"][0]
    shown.page.hover("#tree .node >> nth=1")
    assert "drafted at depth 1" in hint.inner_text()
    assert f"position {node['picks'][0][0]}: " in hint.inner_text()
    assert "confidence 0." in hint.inner_text()


def test_the_first_divergence_is_marked(runs, show):
    shown, line = show(runs["wino"] / "trace.html"), read_run(runs["wino"]).lines[0]
    assert not line["identical"]
    divergence = line["first_divergence"]
    shown.page.click("#to-divergence")
    assert shown.count("decoder", "forwards") == divergence["forward"] + 1
    marked = shown.page.locator(".response .diverging").evaluate_all(
        "cells => cells.map(cell => cell.dataset.position)"
    )
    assert marked == [str(divergence["index"])] * 2
    assert shown.page.is_visible("#tick")
    assert show(runs["ssd"] / "trace.html").page.is_hidden("#to-divergence"), "nothing differs there"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_nothing_is_wider_than_the_page(width, scheme, runs, show):
    for name in ("ssd", "wino"):
        shown = show(runs[name] / "trace.html", width, scheme)
        for _ in range(4):
            shown.press("ArrowRight", 3)
            assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
        sides = [shown.page.locator(f"#{side}").bounding_box() for side in ("reference", "decoder")]
        assert (sides[0]["y"] == sides[1]["y"]) == (width == 1280), "side by side, or stacked"


@pytest.mark.parametrize("extra", range(4))
def test_blocks_are_those_of_the_grid(extra, show, tmp_path):
    """On an absolute grid the first block may hold tokens of the prompt: it is shorter than the others."""
    model = ssd.load("sdar_tiny")
    prompt = [*model.prompt_ids("2 + 3 ="), *[9] * extra]
    before = len(prompt) % 4
    response = ssd.decode(model, prompt, FreeDave(8, "exact_match", eager=True), gen_length=14, stop="none")
    shown = show(response.viewer().save(tmp_path / "page.html"), 390)
    lengths = shown.page.eval_on_selector_all(
        "#decoder .block", "blocks => blocks.map(block => block.querySelectorAll('.cell').length)"
    )
    assert sum(lengths) == 14
    assert lengths[0] == 4 - before
    assert set(lengths[1:-1]) == {4}
    lefts = shown.page.eval_on_selector_all(
        "#order .strip:last-child .square", "squares => squares.map(square => square.getBoundingClientRect().left)"
    )
    columns = {}
    for position, left in enumerate(lefts):
        columns.setdefault((position + before) % 4, set()).add(round(left))
    assert all(not one & other for one, other in itertools.combinations(columns.values(), 2)), "blocks are aligned"


def test_what_a_model_writes_stays_text(runs, show, tmp_path):
    stored = read_run(runs["ssd"])
    lines = [json.loads(json.dumps(line)) for line in stored.lines]
    lines[0]["decoder"]["text"] = HOSTILE
    file = tmp_path / "hostile.html"
    file.write_text(page_of(contents(stored, lines, lambda ids: HOSTILE)), encoding="utf-8")
    shown = show(file)
    shown.press("End")
    assert shown.page.locator("#texts pre").nth(2).text_content() == HOSTILE
    assert "<script>alert(1)</script>" in shown.page.locator("#decoder .response .cell").first.text_content()
    shown.page.hover("#decoder .response .cell >> nth=0")
    assert "<script>alert(1)</script>" in shown.page.inner_text("#hint")
    assert shown.page.locator("script").count() == 2
    assert shown.page.locator("img").count() == 0


def test_ids_stand_for_tokens_without_a_tokenizer(runs, show, tmp_path):
    stored = read_run(runs["ssd"])
    file = tmp_path / "ids.html"
    file.write_text(page_of(contents(stored, stored.lines[:1], None)), encoding="utf-8")
    shown = show(file)
    shown.press("End")
    found = shown.page.locator("#decoder .response .cell").all_text_contents()
    assert found == [str(token) for token in stored.lines[0]["decoder"]["response_ids"]]
