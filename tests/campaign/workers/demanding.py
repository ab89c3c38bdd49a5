"""A decoder that asks for all that a decoder may ask for beside its model."""

from pathlib import Path

import torch

from baselines.stepwise import Stepwise


class Demanding(Stepwise):
    """Stepwise decoding that depends on a file, and that shows every state to a second model."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def files(self):
        return [self.path]

    def load(self, model, folder, settings, work):
        assert (folder / "config.json").is_file()
        self.verifier = torch.nn.Identity()

    def draft(self, session, current):
        self.verifier(current.state)
        return super().draft(session, current)
