"""Changes of files below the owner's folders. Rules: ``coalesce`` and ``normalise``; watching:
``watching``.
"""

import os
from collections.abc import Sequence
from functools import partial
from threading import Lock

from selflow.collect.coalesce import Change, Coalescer, Kind
from selflow.collect.normalise import NOISE, PathRules
from selflow.collect.repeating import Repeating
from selflow.collect.sources import Emit, SourceHealth
from selflow.collect.watching import Watch, watch
from selflow.core.clock import Clock
from selflow.core.events import Event
from selflow.core.settings import FileSource as Section

_MAX_PROBLEMS = 20


class AllowedFiles(Section):
    """A section of the settings, narrowed to the folders that the owner's consent covers."""

    glob_roots: tuple[str, ...]
    """For each of ``paths`` the folder of the settings around it: globs are relative to that."""


def from_settings(section: Section, clock: Clock, home: str) -> "FileSource":
    """The source that ``type: file_system`` asks for."""
    return FileSource(section, clock, home)


class FileFilter:
    """Which paths below a folder count.

    ``NOISE`` and ``exclude`` are one list in the syntax of ``.gitignore``, so ``!build/`` takes
    ``build/`` back. Patterns that start with ``/`` or ``~`` are seen against the whole path, others
    against the part below the folder: a project inside ``~/build`` is not build output.
    """

    def __init__(
        self, root: str, include: Sequence[str], exclude: Sequence[str], home: str
    ) -> None:
        self._root = root
        self._included = _both(include, home) if include else ()
        self._excluded = _both((*NOISE, *exclude), home)

    def counts(self, path: str) -> bool:
        """Whether a file's changes are events."""
        below = os.path.relpath(path, self._root)
        if any(
            rules.match(part) for rules, part in zip(self._excluded, (below, path), strict=True)
        ):
            return False
        if not self._included:
            return True
        return any(
            rules.match(part) for rules, part in zip(self._included, (below, path), strict=True)
        )

    def skips_folder(self, path: str) -> bool:
        """Whether nothing below a folder can count, so that it need not be watched."""
        parts = (os.path.relpath(path, self._root), path)
        return path != self._root and any(
            rules.match(part, is_folder=True)
            for rules, part in zip(self._excluded, parts, strict=True)
        )


class FileSource:
    """Emits ``file.create``, ``file.modify``, ``file.delete`` and ``file.move`` with the path as
    the subject.

    ``data["step"]`` is the same for all changes of one burst; a move has its old path in
    ``data["from"]``. A folder that cannot be watched is a problem in ``health``; the others go on.

    Args:
        section: Folders, globs, kinds of change and the window of a burst.
        clock: For times and waits.
        home: The owner's home folder.
    """

    def __init__(self, section: Section, clock: Clock, home: str) -> None:
        self._section = section
        self._clock = clock
        self._home = home
        self._coalescer = Coalescer(round(section.coalesce_s * 1e6))
        self._lock = Lock()
        self._problems: list[str] = []
        self._watches: list[Watch] = []
        self._events = 0
        self._repeating = Repeating("files", section.coalesce_s / 2, clock)

    def start(self, emit: Emit) -> None:
        """Watch every folder that can be watched, and all below it."""
        section = self._section
        roots = section.glob_roots if isinstance(section, AllowedFiles) else section.paths
        for path, root in zip(section.paths, roots, strict=True):
            filtering = FileFilter(
                real_path(root, self._home), section.include, section.exclude, self._home
            )
            folder = real_path(path, self._home)
            watched = watch(folder, filtering.skips_folder, self._taker(filtering), self._complain)
            if watched is not None:
                self._watches.append(watched)
        self._repeating.start(partial(self._look, emit))

    def stop(self) -> None:
        """Stop watching and emit what is held back."""
        for watched in self._watches:
            watched.stop()
        self._watches.clear()
        self._repeating.stop()

    def health(self) -> SourceHealth:
        """``degraded`` while there is a problem with one of the folders."""
        with self._lock:
            state = self._repeating.state(has_problems=bool(self._problems))
            return SourceHealth("files", state, self._events, tuple(self._problems))

    def _taker(self, filtering: FileFilter) -> "ChangeReceiver":
        return ChangeReceiver(filtering, self._coalescer, self._clock, self._lock)

    def _complain(self, problem: str) -> None:
        with self._lock:
            if problem not in self._problems and len(self._problems) < _MAX_PROBLEMS:
                self._problems.append(problem)

    def _look(self, emit: Emit, is_last: bool) -> None:  # noqa: FBT001  (as it is repeated)
        with self._lock:
            changes = (
                self._coalescer.rest() if is_last else self._coalescer.due(self._clock.now_us())
            )
        events = [as_event(change) for change in changes if change.kind in self._section.events]
        if events:
            with self._lock:
                self._events += len(events)
            emit(events)


class ChangeReceiver:
    """Brings raw changes of one folder to the coalescer, without what does not count.

    A move from a path that does not count is a save by way of a temporary file: a modify. A move to
    one is a delete.
    """

    def __init__(
        self, filtering: FileFilter, coalescer: Coalescer, clock: Clock, lock: Lock
    ) -> None:
        self._filtering = filtering
        self._coalescer = coalescer
        self._clock = clock
        self._lock = lock

    def __call__(self, kind: Kind, path: str, to: str) -> None:
        """Take one change; ``to`` is empty unless it is a move."""
        counts = self._filtering.counts(path)
        if kind == "move":
            counts_there = self._filtering.counts(to)
            if counts != counts_there:
                kind, path, to = ("delete", path, "") if counts else ("modify", to, "")
                counts = True
        if counts:
            with self._lock:
                self._coalescer.offer(kind, path, self._clock.now_us(), to)


def real_path(path: str, home: str) -> str:
    """The folder behind ``~`` and links."""
    return os.path.realpath(path.replace("~", home, 1) if path.startswith("~") else path)


def as_event(change: Change) -> Event:
    """A change as it is stored. Bytes of a file name that are not UTF-8 become question marks."""
    data = {"step": str(change.step_us)}
    if change.moved_from:
        data["from"] = _readable(change.moved_from)
    return Event(change.ts_us, "files", f"file.{change.kind}", _readable(change.path), data=data)


def _readable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def _both(patterns: Sequence[str], home: str) -> tuple[PathRules, PathRules]:
    """The patterns for the part below the folder, and those for the whole path."""
    anchored = [
        pattern for pattern in patterns if pattern.removeprefix("!").startswith(("/", "~/"))
    ]
    free = [pattern for pattern in patterns if pattern not in anchored]
    return PathRules(free, home), PathRules(anchored, home)
