"""What happened on the pretended devices, and between them and the host."""

from collections import Counter
from dataclasses import dataclass, field

import torch


@dataclass
class Record:
    """What the devices did, and what went on between them and the host.

    reads: of values, for which the host waits until the device has finished all its work; waiting: copies to the
    device that wait likewise; copies: those that do not; kernels: of attention; work: operations by device.
    """

    current: int = 0
    capturing: bool = False
    reads: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    copies: int = 0
    kernels: Counter[str] = field(default_factory=Counter)
    work: Counter[int] = field(default_factory=Counter)

    def clear(self) -> None:
        """Count anew."""
        self.__init__(self.current)  # type: ignore[misc]

    def read(self, what: str) -> None:
        """A value comes to the host."""
        if self.capturing:
            raise RuntimeError(f"{what} cannot be captured")
        self.reads.append(what)

    def send(self, what: str, waits: bool) -> None:
        """The host's values go to a device."""
        if self.capturing:
            raise RuntimeError(f"{what} cannot be captured")
        if waits:
            self.waiting.append(what)
        self.copies += not waits

    def index(self, device: torch.device) -> torch.device:
        """The device with its number."""
        return torch.device("cuda", self.current if device.index is None else device.index)


RECORD = Record()
