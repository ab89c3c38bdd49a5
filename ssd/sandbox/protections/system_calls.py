"""The system calls that a program may make, with their numbers on each processor."""

from __future__ import annotations

import errno
import os

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The kernel's codes of the supported processors."""

# Name, number on x86_64, number on aarch64; "-" where a newer call replaces the old one.
# Missing, and so forbidden: calls that start processes, threads or programs, that reach the network or other processes,
# that change the owner, mode or times of files, or that leave objects in the kernel.
_FREE = """
    read 0 63, write 1 64, readv 19 65, writev 20 66, pread64 17 67, pwrite64 18 68, lseek 8 62, close 3 57,
    fstat 5 80, newfstatat 262 79, statx 332 291, stat 4 -, lstat 6 -, access 21 -, faccessat 269 48,
    faccessat2 439 439, getdents64 217 61, getcwd 79 17, chdir 80 49, fchdir 81 50,
    mkdir 83 -, mkdirat 258 34, rmdir 84 -, unlink 87 -, unlinkat 263 35, rename 82 -, renameat 264 38,
    renameat2 316 276, readlink 89 -, readlinkat 267 78, ftruncate 77 46, fsync 74 82, fdatasync 75 83,
    flock 73 32, dup 32 23, dup2 33 -, dup3 292 24, pipe 22 -, pipe2 293 59,
    umask 95 166, statfs 137 43, fstatfs 138 44, select 23 -, pselect6 270 72, poll 7 -, ppoll 271 73,
    epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -, epoll_pwait 281 22, eventfd2 290 19, mmap 9 222,
    mprotect 10 226, munmap 11 215, mremap 25 216, madvise 28 233, brk 12 214, futex 202 98,
    set_robust_list 273 99, rseq 334 293, sched_yield 24 124, sched_getaffinity 204 123, rt_sigaction 13 134,
    rt_sigprocmask 14 135, rt_sigreturn 15 139, sigaltstack 131 132, alarm 37 -, setitimer 38 103,
    getitimer 36 102, nanosleep 35 101, clock_nanosleep 230 115,
    clock_gettime 228 113, clock_getres 229 114, gettimeofday 96 169, time 201 -, times 100 153,
    restart_syscall 219 128, getpid 39 172, getppid 110 173, gettid 186 178, getpgid 121 155, getpgrp 111 -,
    getsid 124 156, getuid 102 174, geteuid 107 175, getgid 104 176, getegid 108 177, getgroups 115 158,
    getresuid 118 148, getresgid 120 150, uname 63 160, sysinfo 99 179, getrandom 318 278, getrusage 98 165,
    getrlimit 97 163, setrlimit 160 164, wait4 61 260, waitid 247 95, exit 60 93,
    exit_group 231 94
"""
# Allowed with some arguments only.
_CONDITIONAL = """
    kill 62 129, tgkill 234 131, prlimit64 302 261, fcntl 72 25, ioctl 16 29, open 2 -, openat 257 56
"""
_SETUP = """
    pivot_root 155 41, landlock_create_ruleset 444 444, landlock_add_rule 445 445, landlock_restrict_self 446 446
"""


def architecture() -> str:
    """Return the name of this machine's processor; raise OSError if it is not supported."""
    machine = os.uname().machine
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no system call numbers for {machine}; there are for {', '.join(ARCHITECTURES)}")
    return machine


def free_numbers() -> dict[str, int]:
    """Return name and number of the calls that a program may make with any arguments."""
    return _numbers(_FREE)


def conditional_numbers() -> dict[str, int]:
    """Return name and number of the calls that a program may make with some arguments only."""
    return _numbers(_CONDITIONAL)


def number_of(name: str) -> int:
    """Return the number of a call that `landlock` or `namespaces` makes."""
    return _numbers(_SETUP)[name]


def _numbers(table: str) -> dict[str, int]:
    column = 1 + list(ARCHITECTURES).index(architecture())
    entries = [entry.split() for entry in table.split(",")]
    return {entry[0]: int(entry[column]) for entry in entries if entry[column] != "-"}
