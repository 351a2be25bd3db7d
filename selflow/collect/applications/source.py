"""The source ``application_usage``: which window is in front, idle times, and else which programs
run.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from selflow.collect.applications.desktop import Desktop, open_desktop
from selflow.collect.applications.focus import FocusRules, FocusTracker
from selflow.collect.applications.programs import Program, changes, running_programs
from selflow.collect.polled import PolledSource, problem_of
from selflow.collect.sources import Emit, Source
from selflow.core.clock import Clock
from selflow.core.errors import RefusedError
from selflow.core.events import Event
from selflow.core.source_settings import ApplicationUsageSource as Section

_LOOK_INTERVAL_S = 1.0


@dataclass(frozen=True, slots=True)
class _Looks:
    sample_interval_s: float
    schedule: str = ""


def from_settings(section: Section, clock: Clock, home: str) -> Source:  # noqa: ARG001  (every factory's shape)
    """The source that ``type: application_usage`` asks for."""
    looks = _Looks(min(_LOOK_INTERVAL_S, section.sample_interval_s))
    reader = ApplicationReader(section, lambda: open_desktop(os.environ))
    return PolledSource("applications", reader, looks, clock)


class ApplicationReader:
    """Looks at the window in front, or at the programs that run where that is not available.

    Args:
        section: What is told, and how often.
        connect: Opens the desktop; tried again at every sample while there is none.
    """

    def __init__(self, section: Section, connect: Callable[[], Desktop]) -> None:
        self._section = section
        self._connect = connect
        self._tracker = FocusTracker(
            FocusRules(
                section.idle_after_s,
                section.sample_interval_s,
                section.store_titles,
                section.exclude_titles,
            )
        )
        self._desktop: Desktop | None = None
        self._why = ""
        self._due_us = 0
        self._programs = running_programs()

    def read(self, emit: Emit, now_us: int, *, is_last: bool) -> Iterator[int | str]:
        """One look."""
        events = self._look(now_us)
        if is_last:
            events += self._tracker.end()
            self._disconnect()
        if events:
            emit(events)
        yield len(events)
        if self._why:
            yield self._why

    def _look(self, now_us: int) -> list[Event]:
        is_due = now_us >= self._due_us
        if is_due:
            self._due_us = now_us + round(self._section.sample_interval_s * 1e6)
        if self._section.track_window_focus:
            if self._desktop is None and is_due:
                self._open()
            if self._desktop is not None:
                return self._focus(self._desktop, now_us)
        return self._changed_programs(now_us) if is_due else []

    def _open(self) -> None:
        try:
            self._desktop, self._why = self._connect(), ""
        except RefusedError as error:
            self._why = problem_of(error)

    def _focus(self, desktop: Desktop, now_us: int) -> list[Event]:
        try:
            return self._tracker.look(now_us, desktop.foreground(), desktop.idle_s())
        except ConnectionError:
            self._disconnect()
            self._programs = running_programs()
            return self._tracker.end()

    def _disconnect(self) -> None:
        if self._desktop is not None:
            self._desktop.close()
        self._desktop = None

    def _changed_programs(self, now_us: int) -> list[Event]:
        before: dict[str, Program] = self._programs
        self._programs = running_programs()
        return changes(before, self._programs, now_us)
