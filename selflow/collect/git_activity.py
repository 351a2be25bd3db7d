"""The source ``git_activity``: what git has done in the owner's repositories, by its own log of
``HEAD``: commits, checkouts, merges, rebases, resets.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from selflow.collect.files import FileFilter, real_path
from selflow.collect.polled import PolledSource, problem_of
from selflow.collect.positions import Position, PositionFile
from selflow.collect.rooted import GitActivityAt
from selflow.collect.sources import Emit, Source
from selflow.core.clock import Clock
from selflow.core.errors import SelFlowError
from selflow.core.events import Event, Json

_TAIL_BYTES = 65_536
"""What is read of a log: some 400 acts."""
_MAX_DEPTH = 4
_SEARCH_US = 300_000_000
"""New repositories are looked for this often."""
_LINE = re.compile(rb"[0-9a-f]+ [0-9a-f]+ .*> (\d+) [+-]\d{4}\t([a-z-]+)([^:]*): ?(.*)")
_MOVE = re.compile(r"moving from (\S+) to (\S+)")
_KINDS = frozenset({"commit", "checkout", "merge", "rebase", "reset", "pull", "cherry-pick"})


def from_settings(section: GitActivityAt, clock: Clock, home: str) -> Source:
    """The source that ``type: git_activity`` asks for."""
    return PolledSource("git activity", GitReader(section, home), section, clock)


class GitReader:
    """Emits each line of a repository's log once: it has the same batch number for good.

    Args:
        section: Folders of repositories, and where positions lie.
        home: The owner's home folder.
    """

    def __init__(self, section: GitActivityAt, home: str) -> None:
        self._section = section
        self._home = home
        self._seen: dict[Path, tuple[int, int]] = {}
        self._emitted: set[int] = set()
        self._logs: list[Path] = []
        self._search_us = 0

    def read(self, emit: Emit, now_us: int, *, is_last: bool) -> Iterator[int | str]:  # noqa: ARG002  (a last look is as any)
        """Events that were stored, and problems by name; a repository's harms no other."""
        if now_us >= self._search_us:
            self._logs = list(_logs(self._section.paths, self._home))
            self._search_us = now_us + _SEARCH_US
        for log in self._logs:
            try:
                yield self._read_one(log, emit, now_us)
            except FileNotFoundError:
                continue  # the repository has gone, or has done nothing yet
            except SelFlowError as error:
                yield problem_of(error)
            except OSError as error:
                yield f"{log}: {os.strerror(error.errno or 0)}; make it readable"

    def _read_one(self, log: Path, emit: Emit, now_us: int) -> int:
        status = log.stat()
        version = status.st_mtime_ns, status.st_size
        if self._seen.get(log) == version:
            return 0
        file = PositionFile(Path(self._section.positions), str(log))
        position = _begin(file.load(), self._section.consent_us)
        count, newest_us = 0, position.newest_us
        for line in _tail(log, status.st_size):
            event = act_of(line, log.parents[2])
            if event is None or event.ts_us < max(position.floor_us, position.newest_us):
                continue
            number = int.from_bytes(sha256(bytes(log) + line).digest()[:8], "big")
            if number in self._emitted:
                continue
            if not emit([event], number):
                return count
            self._emitted.add(number)
            count, newest_us = count + 1, max(newest_us, min(event.ts_us, now_us))
        file.save(replace(position, newest_us=newest_us))
        self._seen[log] = version
        return count


def act_of(line: bytes, folder: Path) -> Event | None:
    """A line of the log as an event; None if it is no act, or not whole.

    The subject is the repository. No message of a commit, no name and no address is taken.
    """
    matched = _LINE.fullmatch(line)
    if matched is None:
        return None
    verb, rest = matched[2].decode(), matched[4].decode("utf-8", "replace")
    if verb not in _KINDS:
        return None
    data: dict[str, Json] = {}
    moved = _MOVE.match(rest) if verb == "checkout" else None
    if moved:
        data = {"from": moved[1], "to": moved[2]}
    name = os.fsencode(folder).decode("utf-8", "replace")
    return Event(int(matched[1]) * 1_000_000, "git", f"git.{verb}", name, "git", data=data)


def _begin(before: Position | None, consent_us: int) -> Position:
    """Where reading goes on. Git's times are whole seconds: what was done in the second of the
    consent counts.
    """
    floor_us = consent_us - consent_us % 1_000_000
    if before is None or floor_us > before.floor_us:
        newest_us = before.newest_us if before else 0
        return Position(floor_us=floor_us, consent_us=consent_us, newest_us=newest_us)
    return before


def _tail(log: Path, size_bytes: int) -> list[bytes]:
    with log.open("rb") as file:
        file.seek(max(0, size_bytes - _TAIL_BYTES))
        return [line[:-1] for line in file if line.endswith(b"\n")]


def _logs(paths: tuple[str, ...], home: str) -> Iterator[Path]:
    """The logs of the repositories at and below some folders."""
    for text in paths:
        root = real_path(text, home)
        filtering = FileFilter(root, (), (), home)
        for folder, below, _ in os.walk(root):
            if ".git" in below:
                yield Path(folder, ".git/logs/HEAD")
            is_deep = len(Path(folder).relative_to(root).parts) >= _MAX_DEPTH
            below[:] = sorted(
                name
                for name in below
                if not is_deep and not filtering.skips_folder(f"{folder}/{name}")
            )
