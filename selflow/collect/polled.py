"""What the sources have in common that look again and again."""

from collections.abc import Iterator
from functools import partial
from threading import Lock
from typing import Protocol

from selflow.collect.repeating import Repeating
from selflow.collect.sources import Emit, SourceHealth
from selflow.core.clock import Clock
from selflow.core.errors import SelFlowError

_MAX_PROBLEMS = 20


class Schedule(Protocol):
    """When to look: a section of the settings."""

    @property
    def sample_interval_s(self) -> float:
        """Seconds between two looks."""
        ...

    @property
    def schedule(self) -> str:
        """A cron line instead; empty for the interval."""
        ...


class Reader(Protocol):
    """Looks once."""

    def read(self, emit: Emit, now_us: int, *, is_last: bool) -> Iterator[int | str]:
        """Emit what is new; ``is_last`` says that the source stops.

        Yields how many events went out, whenever some did, and problems that name paths and next
        steps, never an event's content.
        """
        ...


def problem_of(error: SelFlowError) -> str:
    """An error as a problem of a source's: what is wrong, and the next step."""
    return "; ".join(part for part in (str(error), error.hint) if part)


class PolledSource:
    """Looks at every time of a schedule, and a last time when it is stopped.

    Args:
        name: What it is called in messages.
        reader: Looks once.
        schedule: When.
        clock: For times and waits.
    """

    def __init__(self, name: str, reader: Reader, schedule: Schedule, clock: Clock) -> None:
        self._name = name
        self._reader = reader
        self._clock = clock
        self._lock = Lock()
        self._events = 0
        self._problems: tuple[str, ...] = ()
        self._repeating = Repeating(
            name.replace(" ", "-"), schedule.sample_interval_s, clock, schedule.schedule
        )

    def start(self, emit: Emit) -> None:
        """Begin; the first look comes after one interval."""
        self._repeating.start(partial(self._look, emit))

    def stop(self) -> None:
        """Look a last time, then end."""
        self._repeating.stop()

    def health(self) -> SourceHealth:
        """``degraded`` after a look with problems."""
        with self._lock:
            state = self._repeating.state(has_problems=bool(self._problems))
            return SourceHealth(self._name, state, self._events, self._problems)

    def _look(self, emit: Emit, is_last: bool) -> None:  # noqa: FBT001  (as it is repeated)
        problems: dict[str, None] = {}
        for outcome in self._reader.read(emit, self._clock.now_us(), is_last=is_last):
            if isinstance(outcome, str):
                problems[outcome] = None
            else:
                with self._lock:
                    self._events += outcome
        with self._lock:
            self._problems = tuple(problems)[:_MAX_PROBLEMS]
