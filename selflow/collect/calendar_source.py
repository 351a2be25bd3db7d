"""The source ``calendar``: what calendar files say has begun, as ``calendar.event`` events."""

import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from selflow.collect.confined.exchange import Answer, Request
from selflow.collect.confined.runner import read_confined
from selflow.collect.files import real_path
from selflow.collect.polled import PolledSource, problem_of
from selflow.collect.rooted import CalendarAt
from selflow.collect.sources import Emit, Source
from selflow.core.clock import Clock, owner_zone
from selflow.core.errors import StoreError
from selflow.core.events import Event, Json

_DAY_US = 86_400_000_000
_AHEAD_US = _DAY_US
"""How far a read looks ahead: the child runs this often, or when the file changes."""
_LATE_US = 7 * _DAY_US
"""What is entered so long after it began is still told."""


def from_settings(section: CalendarAt, clock: Clock, home: str) -> Source:
    """The source that ``type: calendar`` asks for."""
    return PolledSource("calendar", CalendarReader(section, home), section, clock)


class CalendarReader:
    """Tells each entry once it has begun; the same entry has the same batch number for good.

    Args:
        section: Files and folders of calendars.
        home: The owner's home folder.
        parse: Reads one file; None: in a child process with limits.
    """

    def __init__(
        self,
        section: CalendarAt,
        home: str,
        parse: Callable[[Path, Request], Answer] | None = None,
    ) -> None:
        self._parse = parse or read_confined
        self._section = section
        self._home = home
        self._floor_us = max(section.consent_us - section.history_days * _DAY_US, 0)
        self._read: dict[Path, _Agenda] = {}
        self._refused: dict[Path, tuple[tuple[int, int], str]] = {}
        self._emitted: set[int] = set()

    def read(self, emit: Emit, now_us: int, *, is_last: bool) -> Iterator[int | str]:
        """Events that were stored, and problems by name; a file's harms no other."""
        if is_last:
            return
        for path in calendar_files(self._section.paths, self._home):
            try:
                yield from self._read_one(path, emit, now_us)
            except StoreError as error:
                yield problem_of(error)
            except OSError as error:
                yield f"{path}: {os.strerror(error.errno or 0)}; make it readable"

    def _read_one(self, path: Path, emit: Emit, now_us: int) -> Iterator[int | str]:
        agenda = self._agenda(path, now_us)
        for occurrence in agenda.answer.occurrences:
            begins_us = int(occurrence["start_us"])
            number = _number(path, str(occurrence["uid"]), begins_us)
            if begins_us > now_us or begins_us < self._floor_us or number in self._emitted:
                continue
            if not emit([_event(occurrence)], number):
                return
            self._emitted.add(number)
            yield 1
        if agenda.answer.broken:
            yield f"{path}: {agenda.answer.broken} entries are broken and left out; correct them"

    def _agenda(self, path: Path, now_us: int) -> "_Agenda":
        status = path.stat()
        version = status.st_mtime_ns, status.st_size
        known = self._read.get(path)
        if known is not None and known.version == version and now_us <= known.until_us:
            return known
        refused = self._refused.get(path)
        if refused is not None and refused[0] == version:
            raise StoreError(refused[1], "it is left out until it changes")
        span_us = _LATE_US + self._section.history_days * _DAY_US
        request = Request(
            "calendar",
            after_us=max(self._floor_us - 1, now_us - span_us),
            until_us=now_us + _AHEAD_US,
            zone=str(owner_zone()),
        )
        try:
            answer = self._parse(path, request)
        except StoreError as error:
            self._refused[path] = version, str(error)
            raise
        self._read[path] = _Agenda(version, request.until_us, answer)
        return self._read[path]


class _Agenda:
    """What a file said when it was read last."""

    def __init__(self, version: tuple[int, int], until_us: int, answer: Answer) -> None:
        self.version = version
        self.until_us = until_us
        self.answer = answer


def calendar_files(paths: tuple[str, ...], home: str) -> list[Path]:
    """The files that are named, and all ``.ics`` files below the folders that are."""
    files: dict[Path, None] = {}
    for text in paths:
        path = Path(real_path(text, home))
        files.update(dict.fromkeys(sorted(path.rglob("*.ics")) if path.is_dir() else [path]))
    return list(files)


def _event(occurrence: dict[str, str | int]) -> Event:
    data: dict[str, Json] = {"location": occurrence["location"]} if occurrence["location"] else {}
    if occurrence["is_all_day"]:
        data["is_all_day"] = True
    return Event(
        int(occurrence["start_us"]),
        "calendar",
        "calendar.event",
        str(occurrence["summary"]),
        duration_s=float(occurrence["duration_s"]),
        data=data,
    )


def _number(path: Path, uid: str, begins_us: int) -> int:
    return int.from_bytes(sha256(f"{path}\0{uid}\0{begins_us}".encode()).digest()[:8], "big")
