"""Looking at processes, each of which may end while a test looks: one that is gone is left out.

A test looks at its own only: those that `session_processes` finds by the mark of the test's root,
or those that the test began with a mark of its own.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Seen:
    """A process as it was when the test looked."""

    process: psutil.Process
    name: str
    title: str
    """Its first word: Ray's workers write what they are there."""
    began_s: float


def seen(processes: Iterable[psutil.Process]) -> list[Seen]:
    """Those that still run, newest first."""
    found = []
    for process in processes:
        with suppress(psutil.Error):
            title = (process.cmdline() or [""])[0]
            found.append(Seen(process, process.name(), title, process.create_time()))
    return sorted(found, key=lambda one: -one.began_s)


def listening(process: psutil.Process) -> list[str]:
    """The addresses on which it listens; none if it is gone."""
    with suppress(psutil.Error):
        connections = process.net_connections("inet")
        return [one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN]
    return []


def marked(name: str, value: str) -> Iterator[psutil.Process]:
    """Processes that have ``name=value`` in their environment."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(name) == value:
                yield process


def kill_all(processes: Iterable[psutil.Process]) -> None:
    """kill -9 of each that still runs."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()
