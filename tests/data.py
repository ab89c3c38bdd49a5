"""Where tests find the real data, tokenizers and configurations that are not part of the project."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def data_folder() -> Path:
    """The folder named by SSD_TEST_DATA, else `shared/data` beside the repository; it may not exist."""
    return Path(os.environ.get("SSD_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
