"""Files of priors at random, fitted to nothing."""

import atexit
import random
import shutil
import tempfile
from functools import cache
from pathlib import Path

from ssd.speculation.pick_model import Features
from ssd.speculation.pick_prior import prior_content


def random_prior(seed: int) -> Features:
    """Return weights of either sign, among them absurd ones."""
    generator = random.Random(seed)
    return Features(*(generator.choice([0.0, 1.0, 30.0]) * generator.uniform(-1, 1) for _ in Features._fields))


@cache
def random_prior_file(seed: int) -> str:
    """Return the path of a file with a random prior."""
    file = _folder() / f"{seed}.json"
    file.write_text(prior_content(random_prior(seed), {"seed": seed}, []))
    return str(file)


@cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="priors")
    atexit.register(shutil.rmtree, folder)
    return Path(folder)
