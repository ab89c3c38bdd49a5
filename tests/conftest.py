"""Fixtures that several packages' tests share."""

import gc
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from ssd.campaign import forward_times
from ssd.campaign.dispatch import run
from ssd.config.plan import make_plan
from ssd.modeling.config import Family
from ssd.run import decode_phase
from ssd.run.device_lock import FOLDER_VARIABLE
from ssd.run.runner import MODELS
from ssd.speculation import round_costs
from tests.checkpoints import write_tiny_checkpoint
from tests.compositions import remembered_compositions
from tests.data import data_folder
from tests.effort import covering, load_profile
from tests.lines import Line, completed, own_logging, run_here
from tests.models import FAMILIES
from tests.runs import composed, short_words

LONGEST = (
    "test_trained.py",
    "test_conformance.py",
    "test_compare.py",
    "test_trained_drafts.py",
    "test_cuda_run.py",
    "test_tour.py",
    "test_wheel.py",
)

os.environ.pop("COLUMNS", None)  # the width of a terminal must not change what tests expect

# Tiny matrices are slower on many threads, and far slower on cores that something else keeps busy.
torch.set_num_threads(1)
load_profile()


@pytest.fixture(autouse=True, scope="session")
def _own_device_locks(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests that run side by side, and the runs that they start, do not wait for each other to measure."""
    os.environ[FOLDER_VARIABLE] = str(tmp_path_factory.mktemp("locks"))


@pytest.fixture(autouse=True, scope="session")
def _short_timings() -> Iterator[None]:
    """Forwards are timed once or for a hundredth of a second: no test expects a precise figure."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (decode_phase, forward_times):
            patch.setattr(module, "BUDGET_S", 0.01)
        patch.setattr(round_costs, "measure", partial(round_costs.measure, repeats=1))
        yield


@pytest.fixture(autouse=True, scope="session")
def _remembered_compositions() -> Iterator[None]:
    with remembered_compositions():
        yield


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Family:
    """Every test that takes it runs once for LLaDA and once for Dream."""
    return request.param


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data files; tests that need it are skipped where it is missing."""
    folder = data_folder()
    if not folder.is_dir():
        pytest.skip(f"{folder} is missing; set SSD_TEST_DATA to the folder of test data")
    return folder


@pytest.fixture(scope="session")
def data_file() -> Callable[[str], Path]:
    """Return a function that finds a file of the data folder, and skips the test where it is missing."""
    folder = data_folder()

    def find(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"{folder / name} is missing; set SSD_TEST_DATA to the folder that holds {name}")
        return folder / name

    return find


@pytest.fixture(autouse=True)
def _no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who edits the sources while tests run must not fail those that resume a run."""
    monkeypatch.setenv("GIT_DIR", os.devnull)


@pytest.fixture(autouse=True)
def _no_model() -> None:
    """Every test's first run loads its model."""
    MODELS.forget()


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[Family, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {family: write_tiny_checkpoint(root / family, family) for family in FAMILIES}


@pytest.fixture
def short_run(checkpoints: dict[Family, Path], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Runs the first three problems of tiny_math through a random model; returns the summary."""

    def call(family: Family, *overrides: str) -> dict[str, Any]:
        return run(make_plan(composed(*short_words(checkpoints[family], family, tmp_path), *overrides)))

    return call


@pytest.fixture
def line(
    checkpoints: dict[Family, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Callable[..., Line]]:
    """Runs `python run.py` with these words on a random model, three prompts each, into tmp_path/results."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> Line:
        return run_here(completed(words, checkpoints["llada"]), monkeypatch, capsys)

    with own_logging():
        yield call


def pytest_collection_finish() -> None:
    """Keep what was imported out of garbage collection, each of which would look at all of torch for half a second."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


def _axes(item: pytest.Item) -> tuple[object, ...]:
    """The values of the test's case by axis: a table of cases is one axis, however many columns it has."""
    values: dict[str, object] = {name: id(value) for name, value in item.callspec.params.items()}
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0].replace(",", " ").split() if isinstance(mark.args[0], str) else list(mark.args[0])
        values[names[0]] = tuple(values.pop(name) for name in names)
    return tuple(values[name] for name in sorted(values))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Thin products of parameters to covers, unless the run is long; start with the longest modules.

    No worker is left alone with a long module at the end.
    """
    products: defaultdict[tuple[Path, str], list[pytest.Item]] = defaultdict(list)
    for item in items:
        if hasattr(item, "callspec"):
            products[item.path, item.nodeid.partition("[")[0]].append(item)
    dropped: set[pytest.Item] = set()
    for cases in products.values():
        kept = {cases[place] for place in covering([_axes(case) for case in cases])}
        dropped |= set(cases) - kept
    if dropped:
        config.hook.pytest_deselected(items=[item for item in items if item in dropped])
        items[:] = [item for item in items if item not in dropped]
    items.sort(key=lambda item: item.path.name not in LONGEST)
