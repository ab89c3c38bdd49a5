"""The list of allowed system calls, against the kernel's own."""

import os
import re
from pathlib import Path

import pytest

from ssd.sandbox.protections import seccomp, system_calls

HEADERS = {
    "x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", r"__NR_(\w+) (\d+)"),
    "aarch64": ("/usr/include/asm-generic/unistd.h", r"__NR(?:3264)?_(\w+) (\d+)"),
}
# The one call whose generic name differs.
RENAMED = {"newfstatat": "fstatat"}


def allowed_numbers() -> dict[str, int]:
    return system_calls.free_numbers() | system_calls.conditional_numbers()


@pytest.mark.parametrize("machine", HEADERS)
def test_numbers_are_the_kernels(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    header, pattern = HEADERS[machine]
    if not Path(header).exists():
        pytest.skip(f"{header} is missing; install the kernel's headers")
    known = {name: int(number) for name, number in re.findall(pattern, Path(header).read_text())}
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "", "", "", machine)))
    numbers = allowed_numbers()
    assert len(numbers) > 70
    for name, number in numbers.items():
        assert number == (known[name] if name in known else known[RENAMED[name]]), name
    assert system_calls.number_of("pivot_root") == known["pivot_root"]


@pytest.mark.parametrize("family", ["clone", "fork", "exec", "socket", "connect", "ptrace", "chmod", "chown", "mount"])
def test_what_must_not_be_allowed(family: str) -> None:
    if os.uname().machine not in system_calls.ARCHITECTURES:
        pytest.skip(f"no system call numbers for {os.uname().machine}")
    assert not [name for name in allowed_numbers() if family in name]


def test_other_processors_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "", "", "", "riscv64")))
    with pytest.raises(OSError, match="no system call numbers for riscv64; there are for x86_64, aarch64"):
        allowed_numbers()


def test_a_call_is_free_or_conditional_and_every_conditional_one_has_its_condition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not system_calls.free_numbers().keys() & system_calls.conditional_numbers().keys()
    conditions = seccomp._conditions()
    for name in system_calls.conditional_numbers():
        monkeypatch.setattr(
            seccomp, "_conditions", lambda name=name: {k: v for k, v in conditions.items() if k != name}
        )
        with pytest.raises(KeyError, match=name):
            seccomp._program()
