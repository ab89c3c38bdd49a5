"""Where the tests of tasks find real data."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def data_file() -> Callable[[str], Path]:
    """Return a function that finds a file of the data folder, and skips the test where it is missing."""
    folder = Path(os.environ.get("SSD_TEST_DATA", REPOSITORY.parent / "shared" / "data"))

    def find(name: str) -> Path:
        if not (folder / name).exists():
            pytest.skip(f"{folder / name} is missing; set SSD_TEST_DATA to the folder that holds {name}")
        return folder / name

    return find


@pytest.fixture(scope="session")
def conf_folder() -> Path:
    return REPOSITORY / "conf"
