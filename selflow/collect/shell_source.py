"""New commands from shell history files, read again whenever they grow."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from selflow.collect.importers.shell import Shell, as_event, parse_history, shell_of
from selflow.collect.progress import Progress
from selflow.collect.repeating import Repeating
from selflow.collect.sources import Emit, SourceHealth
from selflow.core.clock import Clock
from selflow.core.events import Event
from selflow.core.settings import ShellHistorySource as Section

HISTORIES = (".bash_history", ".zsh_history", ".local/share/fish/fish_history")
_HEAD_BYTES = 256


def from_settings(section: Section, clock: Clock, home: str) -> "ShellHistorySource":
    """The source that ``type: shell_history`` asks for."""
    paths = [
        Path(path.replace("~", home, 1) if path.startswith("~") else path) for path in section.paths
    ]
    return ShellHistorySource(
        paths or [Path(home) / name for name in HISTORIES], section.sample_interval_s, clock
    )


@dataclass(slots=True)
class _Followed:
    """Where reading stopped. A file that is not there yet is read from its beginning once it is."""

    path: Path
    offset_bytes: int = 0


class ShellHistorySource:
    """Emits ``shell.command`` for what is written after ``start``; what was there before is for the
    importer.

    A file that became shorter was rewritten by its shell; it is followed from its new end. A
    command without a time gets that of the look.

    Args:
        paths: History files; those that do not exist are waited for.
        interval_s: Seconds between two looks.
        clock: For times and waits.
    """

    def __init__(self, paths: Sequence[Path], interval_s: float, clock: Clock) -> None:
        self._followed = [_Followed(path) for path in paths]
        self._clock = clock
        self._lock = Lock()
        self._events = 0
        self._problems: dict[Path, str] = {}
        self._repeating = Repeating("shell-history", interval_s, clock)

    def start(self, emit: Emit) -> None:
        """Follow every file from its present end."""
        for followed in self._followed:
            followed.offset_bytes = followed.path.stat().st_size if followed.path.is_file() else 0
        self._repeating.start(lambda _: self._look_at_all(emit))

    def stop(self) -> None:
        """Look a last time, then end."""
        self._repeating.stop()

    def health(self) -> SourceHealth:
        """``degraded`` while a file that exists cannot be read."""
        with self._lock:
            state = self._repeating.state(has_problems=bool(self._problems))
            return SourceHealth("shell", state, self._events, tuple(self._problems.values()))

    def _look_at_all(self, emit: Emit) -> None:
        for followed in self._followed:
            events = self._look(followed)
            if events:
                emit(events)

    def _look(self, followed: _Followed) -> list[Event]:
        try:
            shell, new = _new_bytes(followed)
        except FileNotFoundError:
            followed.offset_bytes = 0
            return []
        except OSError as error:
            why = os.strerror(error.errno or 0)
            with self._lock:
                self._problems[followed.path] = (
                    f"{followed.path}: {why}; give yourself access or leave it out"
                )
            return []
        commands = parse_history(new.splitlines(keepends=True), shell, Progress())
        now_us = self._clock.now_us()
        events = [
            as_event(each, shell, now_us if each.ts_us is None else each.ts_us) for each in commands
        ]
        with self._lock:
            self._problems.pop(followed.path, None)
            self._events += len(events)
        return events


def _new_bytes(followed: _Followed) -> tuple[Shell, bytes]:
    """What came since the last look, up to the end of a line."""
    with followed.path.open("rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        shell = shell_of(file.read(_HEAD_BYTES))
        followed.offset_bytes = min(followed.offset_bytes, size_bytes)
        file.seek(followed.offset_bytes)
        new = file.read()
    new = new[: new.rfind(b"\n") + 1]
    followed.offset_bytes += len(new)
    return shell, new
