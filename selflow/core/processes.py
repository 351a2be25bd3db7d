"""What the kernel says of processes: alive, since when, how large. Reads /proc; psutil would cost
50 ms to import.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from selflow.core.paths import Root
from selflow.core.session_files import ConsoleRecord, ProcessRecord, read_console, read_keeper

_PROC = Path("/proc")
_SESSION_MARK = "SELFLOW_RAY_SESSION"
"""Every process of our own Ray session carries the root in this variable of its environment."""
_CLOCK_SLACK_US = 2_000_000
"""Start times are exact to 10 ms, but a clock that is set moves them."""
_START_FIELD = 19
"""``starttime`` is field 22 of ``/proc/PID/stat``: the 20th behind the closing bracket of the name.
"""


@dataclass(frozen=True, slots=True)
class Process:
    """One living process. ``memory_bytes`` is its proportional share (PSS) where the kernel tells,
    else RSS.
    """

    pid: int
    name: str
    memory_bytes: int
    is_pss: bool


def started_at_us(pid: int) -> int | None:
    """When the living process of this number began, UTC microseconds, exact to 10 ms; None if there
    is none. It moves when the machine's clock is set.
    """
    began_us = after_boot_us(pid)
    return None if began_us is None else _boot_us() + began_us


def after_boot_us(pid: int) -> int | None:
    """How long after the machine's start the living process of this number began, exact to 10 ms;
    None if there is none.
    """
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[0] in {"Z", "X"}:
        return None
    return int(fields[_START_FIELD]) * 1_000_000 // os.sysconf("SC_CLK_TCK")


class Named(Protocol):
    """Names a process for life, whatever the machine's clock is set to."""

    @property
    def pid(self) -> int:
        """Its number, which another one may get after it."""
        ...

    @property
    def after_boot_us(self) -> int:
        """How long after the machine's start it began."""
        ...


def is_running(record: Named) -> bool:
    """Whether the process of this record still runs."""
    return after_boot_us(record.pid) == record.after_boot_us


def began_before(pid: int, moment_us: int) -> bool:
    """Whether the living process of this number was there at that moment."""
    began_us = started_at_us(pid)
    return began_us is not None and began_us <= moment_us + _CLOCK_SLACK_US


def living_keeper(root: Root) -> ProcessRecord | None:
    """The process that rebuilds this root's session when it dies; None if none runs."""
    keeper = read_keeper(root)
    return keeper if keeper is not None and is_running(keeper) else None


def living_console(root: Root) -> ConsoleRecord | None:
    """The process that answers the console's port; None if none runs."""
    console = read_console(root)
    return console if console is not None and is_running(console) else None


def this_process(name: str) -> ProcessRecord:
    """The record of this process."""
    pid = os.getpid()
    return ProcessRecord(name, pid, after_boot_us(pid) or 0)


def look(pid: int) -> Process | None:
    """A process as it is now; None if it is gone or another user's."""
    with suppress(OSError, ValueError):
        folder = _PROC / str(pid)
        pss_bytes = _pss_bytes(folder)
        memory_bytes = _rss_bytes(folder) if pss_bytes is None else pss_bytes
        return Process(pid, _name(folder), memory_bytes, is_pss=pss_bytes is not None)
    return None


def session_pids(root: Path) -> Iterator[int]:
    """The processes of the Ray session that was started for this root. Cost: one read per process
    of this user.
    """
    mark = f"{_SESSION_MARK}={root}".encode()
    for folder in _PROC.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):  # another user's, or just gone
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)


def _boot_us() -> int:
    for line in (_PROC / "stat").read_text(encoding="utf-8").splitlines():
        if line.startswith("btime "):
            return int(line.split()[1]) * 1_000_000
    return 0


def _pss_bytes(folder: Path) -> int | None:
    with suppress(OSError):
        for line in (folder / "smaps_rollup").read_text(encoding="utf-8").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return None


def _rss_bytes(folder: Path) -> int:
    return int((folder / "statm").read_text(encoding="utf-8").split()[1]) * os.sysconf(
        "SC_PAGE_SIZE"
    )


def _name(folder: Path) -> str:
    """Ray's title of a worker, the script of an interpreter, else the program's name."""
    words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").rstrip("\0").split("\0")
    if words[0].startswith("ray::"):
        return words[0]
    script = next((argument for argument in words[1:] if argument.endswith(".py")), "")
    return Path(script).name if script else (folder / "comm").read_text(encoding="utf-8").strip()
