"""The sources ``shell_companion`` and ``git_commits``: what hooks of shells and of git wrote, as
``shell.command`` and ``commit.message`` events.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Lock

from selflow.collect.companion.commits import commit_events
from selflow.collect.companion.records import events_of
from selflow.collect.companion.sections import CommitsAt, CompanionAt
from selflow.collect.companion.spool import ShellSpool, TakenFile
from selflow.collect.repeating import Repeating
from selflow.collect.sources import Emit, SourceHealth
from selflow.core.clock import Clock
from selflow.core.events import Event
from selflow.core.paths import private_folder

_MAX_FUTURE_US = 300_000_000
Read = Callable[[Sequence[tuple[bytes, ...]], int], Iterator[Event | None]]
"""Makes events of records, none of them dated after a moment; None for what is not stored."""


def from_settings(section: CompanionAt, clock: Clock, home: str) -> "SpoolSource":  # noqa: ARG001  (every factory's shape)
    """The source that ``type: shell_companion`` asks for."""
    folder = Path(section.spool)
    return SpoolSource("shell companion", folder, events_of, section.sample_interval_s, clock)


def commits_from_settings(section: CommitsAt, clock: Clock, home: str) -> "SpoolSource":  # noqa: ARG001  (as above)
    """The source of the commits of the folders that the owner's consent names."""
    read = partial(commit_events, folders=section.folders)
    return SpoolSource("git commits", Path(section.spool), read, section.sample_interval_s, clock)


class SpoolSource:
    """Stores what waits in a spool and removes it once it is durable.

    Args:
        name: What it is called in messages.
        folder: The spool; made at the start, because hooks write only where it is.
        read: Makes events of records.
        interval_s: Seconds between two looks.
        clock: For times and waits.
    """

    def __init__(
        self, name: str, folder: Path, read: Read, interval_s: float, clock: Clock
    ) -> None:
        self._name = name
        self._folder = folder
        self._read = read
        self._spool = ShellSpool(folder)
        self._clock = clock
        self._lock = Lock()
        self._events = 0
        self._problem = ""
        self._repeating = Repeating(name.replace(" ", "-"), interval_s, clock)

    def start(self, emit: Emit) -> None:
        """Begin; what waits already is stored at the first look."""
        private_folder(self._folder)
        self._repeating.start(lambda _: self._look(emit))

    def stop(self) -> None:
        """Look a last time, then end."""
        self._repeating.stop()

    def health(self) -> SourceHealth:
        """``degraded`` while the spool cannot be read."""
        with self._lock:
            state = self._repeating.state(has_problems=bool(self._problem))
            problems = (self._problem,) if self._problem else ()
            return SourceHealth(self._name, state, self._events, problems)

    def _look(self, emit: Emit) -> None:
        problem = ""
        try:
            for taken in self._spool.take():
                if not self._store(taken, emit):
                    break
                self._spool.remove(taken)
        except OSError as error:
            problem = f"{self._folder}: {os.strerror(error.errno or 0)}; make it readable"
        with self._lock:
            self._problem = problem

    def _store(self, taken: TakenFile, emit: Emit) -> bool:
        """Whether all of a file is durable now."""
        newest_us = self._clock.now_us() + _MAX_FUTURE_US
        left_out = 0
        for batch_id, records in taken.batches():
            candidates = list(self._read(records, newest_us))
            events = [event for event in candidates if event is not None]
            if events and not emit(events, batch_id):
                return False
            left_out += len(candidates) - len(events)
            with self._lock:
                self._events += len(events)
        is_cut = not taken.parsed.is_whole
        self._spool.count("damaged", taken.parsed.damaged + is_cut)
        self._spool.count("long", left_out)
        return True
