"""The files of the project, and where tests find the real data that is not part of it."""

import os
import subprocess
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """The folder named by SSD_TEST_DATA, else `shared/data` beside the repository; it may not exist."""
    return Path(os.environ.get("SSD_TEST_DATA", REPOSITORY.parent / "shared" / "data"))


def project_files(pattern: str) -> list[Path]:
    """Files of the checkout, without those that git does not track: a user's own decoder is no part of the project.

    Without git, or in a folder that git does not track, all files are the project's.
    """
    tracked = _tracked()
    return sorted(file for file in REPOSITORY.glob(pattern) if not tracked or file in tracked)


@cache
def _tracked() -> frozenset[Path]:
    environment = {name: value for name, value in os.environ.items() if name != "GIT_DIR"}
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=REPOSITORY, env=environment, capture_output=True, text=True
        ).stdout
    except FileNotFoundError:
        return frozenset()
    return frozenset(REPOSITORY / name for name in listed.split("\0") if name)
