"""New commands from shell history files, read again whenever they change."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from threading import Lock

from selflow.collect.companion.hooks import recording_since_us
from selflow.collect.companion.sections import HistoryBeside
from selflow.collect.history_file import HistoryFile
from selflow.collect.importers.shell import Command, as_event
from selflow.collect.polled import Schedule
from selflow.collect.repeating import Repeating
from selflow.collect.sources import Emit, SourceHealth
from selflow.core.clock import Clock
from selflow.core.events import Event
from selflow.core.settings import ShellHistorySource as Section

HISTORIES = (".bash_history", ".zsh_history", ".local/share/fish/fish_history")


Since = Callable[[str], int | None]
"""Since when (UTC microseconds) the companion records a shell; None: it does not."""


def from_settings(section: Section, clock: Clock, home: str) -> "ShellHistorySource":
    """The source that ``type: shell_history`` asks for."""
    paths = [
        Path(path.replace("~", home, 1) if path.startswith("~") else path) for path in section.paths
    ]
    return ShellHistorySource(
        paths or [Path(home) / name for name in HISTORIES],
        section,
        clock,
        partial(recording_since_us, Path(section.hooks), Path(section.spool))
        if isinstance(section, HistoryBeside)
        else lambda _: None,
    )


class ShellHistorySource:
    """Emits ``shell.command`` for what is written after ``start``; what was there before is for the
    importer.

    A file that its shell cut, rewrote or replaced is followed by its content (``HistoryFile``). A
    command without a time gets that of the look.

    Of a shell that the companion records, only what was there before that is emitted: nothing is
    stored twice. A command without a time counts as old as its file.

    Args:
        paths: History files; those that do not exist are waited for.
        schedule: When to look.
        clock: For times and waits.
        recorded_since_us: Which shells the companion records.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        schedule: Schedule,
        clock: Clock,
        recorded_since_us: Since,
    ) -> None:
        self._recorded_since_us = recorded_since_us
        self._files = [HistoryFile(path) for path in paths]
        self._clock = clock
        self._lock = Lock()
        self._events = 0
        self._problems: dict[Path, str] = {}
        self._repeating = Repeating(
            "shell-history", schedule.sample_interval_s, clock, schedule.schedule
        )

    def start(self, emit: Emit) -> None:
        """Follow every file from its present end."""
        for file in self._files:
            try:
                file.skip_present()
            except OSError as error:
                self._complain(file.path, error)
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
        for file in self._files:
            events = self._look(file)
            if events:
                emit(events)

    def _look(self, file: HistoryFile) -> list[Event]:
        try:
            shell, commands = file.new_commands()
            commands = self._unrecorded(file.path, shell, commands)
        except FileNotFoundError:
            return []
        except OSError as error:
            self._complain(file.path, error)
            return []
        now_us = self._clock.now_us()
        events = [
            as_event(command, shell, now_us if command.ts_us is None else command.ts_us)
            for command in commands
        ]
        with self._lock:
            self._problems.pop(file.path, None)
            self._events += len(events)
        return events

    def _unrecorded(self, path: Path, shell: str, commands: list[Command]) -> list[Command]:
        since_us = self._recorded_since_us(shell) if commands else None
        if since_us is None:
            return commands
        written_us = path.stat().st_mtime_ns // 1_000
        return [
            command
            for command in commands
            if (written_us if command.ts_us is None else command.ts_us) < since_us
        ]

    def _complain(self, path: Path, error: OSError) -> None:
        why = os.strerror(error.errno or 0)
        with self._lock:
            self._problems[path] = f"{path}: {why}; make it readable or remove it from data_sources"
