"""The documentation's commands compose, its files and links exist, and its lists are complete."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir

from baselines.stepwise import Stepwise
from ssd.cli import main
from ssd.commands import run as run_command
from ssd.config.model_words import plain_words
from ssd.config.plan import build_decoder, make_plan
from ssd.decoding.settings import GenerationSettings
from ssd.measure.cost.model import CostModel
from ssd.run.runner import run
from ssd.tasks.qa import QuestionAnswer
from tests import data
from tests.conformance.candidates import NAMES, SPECIAL, Candidate, model_of
from tests.conformance.checks import check_lossless, check_response
from tests.data import REPOSITORY, project_files
from tests.runs import only_folder, short_words

CONF = REPOSITORY / "conf"
PAGES = sorted(
    [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    + [REPOSITORY / "results" / folder / "README.md" for folder in ("published", "reference")]
    + project_files("docs/*.md")
)
TEXT = {file: file.read_text() for file in PAGES}
DECODERS = (REPOSITORY / "docs" / "decoders.md").read_text()
OWN = ("own_task", "own_checkpoint")
RECIPES = "".join((REPOSITORY / "docs" / f"{name}.md").read_text() for name in ("recipes", *OWN))
ARCHITECTURE = (REPOSITORY / "docs" / "architecture.md").read_text()

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda file: str(file.relative_to(REPOSITORY)))


def block(language: str, page: str = DECODERS) -> str:
    """The first fenced block of a language."""
    return textwrap.dedent(re.search(rf"^ *```{language}\n(.*?)```", page, re.DOTALL | re.MULTILINE)[1])


def recipe(name: str) -> str:
    """The content of a file that the recipes and the pages on own things name, `mine/...`."""
    return re.search(rf"`mine/{re.escape(name)}`[^\n]*\n\n```\w+\n(.*?)```", RECIPES, re.DOTALL)[1]


def prose(text: str) -> str:
    """A page without its code and its table of words."""
    text = re.sub(r"^ *```.*?^ *```|^ {4}.*?$|`[^`\n]*`", " ", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^\| say \| not \|.*?\n\n", "", text + "\n\n", flags=re.DOTALL | re.MULTILINE)


def commands(text: str) -> list[list[str]]:
    """The words behind `run.py` or `ssd-bench run` of every command that stands on a line of its own."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        command = re.match(r"(?: {4}|# |#   )(?:PYTHONPATH=\w+ )?(?:python run\.py|ssd-bench run)(?= |$)(.*)", line)
        if command:
            words = re.split(r" {3,}", command[1].strip())[0]
            found.append(shlex.split(words.split("  (")[0], comments=True))
    return found


def below_the_header(file: Path) -> str:
    """The text of a file of conf/ without the command that tests/config/test_plan.py composes, unless it is a grid."""
    lines = file.read_text().splitlines()
    header = lines[:2] if lines[0].startswith("# @package") else lines[:1]
    return "\n".join(lines if "," in header[-1] else lines[len(header) :])


COMMANDS = {
    " ".join(words): words
    for text in (*TEXT.values(), *map(below_the_header, project_files("conf/**/*.yaml")))
    for words in commands(text)
    if not {"--help", "decoder=NAME"} & set(words)
}


@pytest.fixture(scope="module")
def conf(tmp_path_factory) -> Path:
    """The project's own conf/. Beside it, a user's own `mine` may lie in the checkout."""
    folder = tmp_path_factory.mktemp("project")
    for file in project_files("conf/**/*.yaml"):
        copied = folder / file.relative_to(REPOSITORY)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_text(file.read_text())
    return folder / "conf"


@pytest.fixture(scope="module")
def mine(tmp_path_factory) -> Path:
    """The folder of the recipes, with all its files."""
    folder = tmp_path_factory.mktemp("recipes") / "mine"
    for group in ("decoder/commit", "task", "model"):
        (folder / "conf" / group).mkdir(parents=True)
    for name in re.findall(r"^`mine/([\w/.]+)`:$", RECIPES, re.MULTILINE):
        (folder / name).write_text(recipe(name))
    (folder / "conf" / "decoder" / "mine.yaml").write_text(block("yaml"))
    return folder


@cache
def composed_groups(words: tuple[str, ...], conf: Path, searchpath: Path) -> set[str]:
    """The top-level keys of what the words compose to, with the recipes' folder on the search path."""
    with initialize_config_dir(str(conf), version_base="1.3"):
        return set(compose("config", overrides=[f"hydra.searchpath=[file://{searchpath}]", *words]))


@pytest.mark.parametrize("line", COMMANDS)
@pytest.mark.slow
def test_every_command_composes(line, conf, mine):
    words = [word for word in COMMANDS[line] if word != "-m"]
    if "--config-dir" in words:
        at = words.index("--config-dir")
        assert words[at + 1] == "mine/conf"
        del words[at : at + 2]
    # One job of a grid stands for all of them: the first value of every list.
    is_grid = "-m" in COMMANDS[line]
    first = tuple(re.sub(r"^([\w./]+=)([^,\[]+),.*$", r"\1\2", word) if is_grid else word for word in words)
    groups = composed_groups(tuple(plain_words(first)), conf, mine / "conf")
    assert {"model", "decoder", "task", "generation", "runtime"} <= groups


@each_page
def test_every_named_file_exists(page):
    roots = "ssd|baselines|conf|scripts|tests|checkpoints|docs|results/published|results/reference"
    names = re.findall(rf"`((?:{roots})/[\w./-]*)`", TEXT[page])
    names = [name for name in names if not re.search(r"[A-Z]{4,}(?<!README)\b(?!\.md)", name) and "mine" not in name]
    assert [name for name in names if not (REPOSITORY / name).exists()] == []


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as the site and code hosts make them."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE
    )
    return {re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


@each_page
def test_every_internal_link_resolves(page):
    links = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", TEXT[page])
    broken = []
    for link in (first or second for first, second in links):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            broken.append(link)
    assert broken == []


@each_page
def test_no_page_uses_a_word_that_the_table_refuses(page):
    table = re.search(r"^\| say \| not \|\n.*?\n((?:\|.*\n)+)", ARCHITECTURE, re.MULTILINE)[1]
    refused = [word.strip() for row in table.splitlines() for word in row.split("|")[2].split(",")]
    assert len(refused) > 15
    text = " ".join(prose(TEXT[page]).split()).lower()
    if page.name == "CONTRIBUTING.md":
        text = text.partition("| before | after |")[0]
    assert [word for word in refused if re.search(rf"\b{re.escape(word.lower())}\b", text)] == []


def test_the_map_lists_every_room():
    table = ARCHITECTURE.partition("## Rooms")[2].partition("## ")[0]
    rooms = sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert rooms == [file.parent.name for file in project_files("ssd/*/__init__.py")]


def test_the_workflow_runs_every_folder_of_tests():
    workflow = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "checks.yml").read_text())
    shards = workflow["jobs"]["tests"]["strategy"]["matrix"]["shard"]
    run = " ".join(shard["paths"] for shard in shards).split()
    folders = {file.parent for file in project_files("tests/*/**/test_*.py")}
    tops = {f"tests/{folder.relative_to(REPOSITORY / 'tests').parts[0]}" for folder in folders}
    assert tops <= set(run)
    assert len(run) == len(set(run))


@pytest.fixture
def add(tmp_path, monkeypatch) -> Callable[[str], None]:
    """Makes a source text the module that the YAML of docs/decoders.md names."""

    def call(source: str) -> None:
        file = tmp_path / "mine.py"
        file.write_text(source)
        specification = importlib.util.spec_from_file_location("baselines.mine", file)
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        monkeypatch.setitem(sys.modules, "baselines.mine", module)

    return call


@pytest.fixture
def measure_mine(conf, mine, checkpoints, tmp_path, monkeypatch) -> Callable[[], int]:
    """Runs step 5 of docs/decoders.md in this process, with a random model; returns the exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_command, "CONF", conf)
    monkeypatch.setattr(CostModel, "measure", partial(CostModel.measure, most_rounds=1))  # seconds less
    words = set(short_words(checkpoints["llada"], "llada", tmp_path / "results")) - {"runtime.predict=false"}
    return lambda: main(["run", "--config-dir", str(mine / "conf"), "decoder=mine", *words, "runtime.predict=true"])


@pytest.mark.slow
def test_the_decoder_that_the_documentation_adds_conforms_and_needs_fewer_forwards(add, family):
    add(block("python"))
    values = yaml.safe_load(block("yaml"))
    added = Candidate(build_decoder(values), values["lossless"])
    forwards = {"reference": 0, "mine": 0}
    for seed in range(2):
        for temperature in (0.0, 0.7):
            settings = GenerationSettings(gen_length=16, block_length=8, temperature=temperature)
            prompt, model = [11, 12, 13, 10 + seed], model_of(family, seed)
            check_lossless(added, model, prompt, settings)
            forwards["mine"] += check_response(added.decoder, model, prompt, settings).trace.nfe
            forwards["reference"] += Stepwise().decode(model, prompt, settings, SPECIAL).trace.nfe
    assert added.lossless
    assert forwards["mine"] < forwards["reference"]


def test_the_whole_command_measures_the_decoder_that_the_documentation_adds(add, measure_mine, tmp_path):
    add(block("python"))
    assert measure_mine() == 0
    summary = json.loads((only_folder(tmp_path / "results") / "summary.json").read_text())
    assert summary["identity"]["rate"] == 1
    assert summary["nfe"]["ratio"] > 1
    assert summary["predicted_speedup"] is not None


def test_a_decoder_that_drafts_more_than_its_most_nodes_is_told_so_before_its_first_prompt(
    add, measure_mine, tmp_path, capsys
):
    add(re.sub(r"^    most_nodes = .*\n", "", block("python"), flags=re.MULTILINE))
    assert measure_mine() == 1
    error = next(line for line in capsys.readouterr().err.splitlines() if line.startswith("error: "))
    assert "error: Mine drafts 2 states for one forward, but its most_nodes is 1; set the class's most_nodes" in error
    assert not list((tmp_path / "results").rglob("samples.jsonl"))


def test_the_commit_rule_of_the_recipes_decodes_in_fewer_forwards(mine, monkeypatch, family):
    monkeypatch.syspath_prepend(str(mine))
    commit = {**yaml.safe_load(recipe("conf/decoder/commit/odds.yaml")), "odds": 0.05}
    targets = "baselines.fast_dllm.FastDLLM", "baselines.psd.ParallelSelfSpeculative"
    plain, drafting = (build_decoder({"_target_": target, "commit": commit}) for target in targets)
    settings = GenerationSettings(gen_length=16, block_length=8)
    assert check_response(plain, model_of(family, 0), [11, 12, 13], settings).trace.nfe < 16
    check_lossless(Candidate(drafting, True), model_of(family, 0), [11, 12, 13], settings)


@pytest.mark.parametrize("page", OWN)
@pytest.mark.slow
def test_the_commands_of_a_page_on_own_things_run(page, mine, monkeypatch, checkpoints, tmp_path):
    monkeypatch.syspath_prepend(str(mine))
    monkeypatch.chdir(mine.parent)
    own = [f"hydra.searchpath=[file://{mine}/conf]", f"model.path={checkpoints['llada']}", f"results_dir={tmp_path}"]
    short = ["generation.gen_length=8", "generation.block_length=8", "runtime.limit=2"]
    short += ["runtime.predict=false", "runtime.threads=1"]
    found = [words for words in commands((REPOSITORY / "docs" / f"{page}.md").read_text()) if len(words) > 3]
    for words in found:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            composed = compose("config", [*(w for w in words if w not in ("--config-dir", "mine/conf")), *own, *short])
        summary = run(make_plan(composed))
        assert summary["prompts"] == 2
        assert (tmp_path / summary["run_id"] / "done.json").is_file()
    assert len(found) == 2


def test_a_page_on_tasks_scores_as_it_states(mine, monkeypatch):
    monkeypatch.syspath_prepend(str(mine))
    task = importlib.import_module("choice_task").Choices(str(mine / "choices.jsonl"))
    first, second = task.documents(None)
    assert first.question == "Which is a fruit?\nA. stone\nB. apple\nC. river"
    assert task.verdict("A is wrong, it is B.", first).correct
    assert not task.verdict("It is B.", second).correct
    assert [document.target for document in QuestionAnswer(path=str(mine / "questions.jsonl")).documents(None)] == [
        "17",
        "28",
    ]


def test_a_file_that_git_does_not_track_is_no_part_of_the_project(tmp_path, monkeypatch):
    monkeypatch.delenv("GIT_DIR", raising=False)
    monkeypatch.setattr(data, "REPOSITORY", tmp_path)
    monkeypatch.setattr(data, "_tracked", data._tracked.__wrapped__)
    names = ["mine.yaml", "ssd.yaml"]
    for name in names:
        (tmp_path / name).touch()
    assert [file.name for file in project_files("*.yaml")] == names, "without git every file counts"
    for words in (["init", "--quiet"], ["add", "ssd.yaml"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    assert [file.name for file in project_files("*.yaml")] == ["ssd.yaml"]


def test_the_table_lists_every_decoder():
    table = DECODERS.partition("## All of them")[2].partition("## ")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == NAMES


def test_every_experiment_and_decoder_is_in_the_readme():
    readme = (REPOSITORY / "README.md").read_text()
    experiments = [file.stem for file in project_files("conf/experiment/*.yaml")]
    assert [name for name in (*NAMES, *experiments) if f"`{name}`" not in readme] == []


def test_every_option_of_a_decoder_is_explained():
    for name in NAMES:
        options = yaml.safe_load((CONF / "decoder" / f"{name}.yaml").read_text())
        described = ("_target_", "name", "lossless", "defaults")
        missing = [key for key in options if key not in described and f"`{key}`" not in DECODERS]
        assert not missing, f"docs/decoders.md does not explain {missing} of {name}"
