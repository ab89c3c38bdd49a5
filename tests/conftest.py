"""Fixtures that several packages' tests share."""

import os
from pathlib import Path

import pytest
import torch

from ssd.bench.device_lock import FOLDER_VARIABLE
from ssd.modeling.config import Family
from tests.data import data_folder
from tests.models import FAMILIES

# Tiny matrices are slower on many threads, and far slower on cores that something else keeps busy.
torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def _own_device_locks(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests that run side by side, and the runs that they start, do not wait for each other to measure."""
    os.environ[FOLDER_VARIABLE] = str(tmp_path_factory.mktemp("locks"))


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest module first, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: item.path.name != "test_trained.py")
