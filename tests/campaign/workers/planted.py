"""Decoders that a test can follow into a worker's process, and that kill it or fail there."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from baselines.stepwise import Stepwise


class Logs(Stepwise):
    """Stepwise decoding that writes its process down before every response, and takes `pause_s` for each."""

    def __init__(self, log: str, pause_s: float = 0.0) -> None:
        self.log, self.pause_s = Path(log), pause_s

    def decode(self, model, prompt_ids, settings, special):
        with self.log.open("a") as file:
            file.write(f"{os.getpid()} {settings.seed}\n")
        time.sleep(self.pause_s)
        return super().decode(model, prompt_ids, settings, special)


class Kills(Stepwise):
    """Kills its process over one length of prompt."""

    def __init__(self, length: int) -> None:
        self.length = length

    def decode(self, model, prompt_ids, settings, special):
        if len(prompt_ids) == self.length:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().decode(model, prompt_ids, settings, special)


class DiesInAnAudit(Stepwise):
    """Kills its process once, when three responses were audited; writes the process of each down."""

    def __init__(self, log: str) -> None:
        self.log = Path(log)

    @property
    def most_steps(self):
        with self.log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        if len(self.log.read_text().splitlines()) >= 3:
            with suppress(FileExistsError):  # one worker dies, once
                self.log.with_suffix(".killed").touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)


class Raises(Stepwise):
    """Fails at every response."""

    def decode(self, model, prompt_ids, settings, special):
        raise ValueError("planted: out of luck")


class Unreadable(Stepwise):
    """Needs a module that no worker has."""

    def __reduce__(self):
        return __import__, ("no_such_module",)
