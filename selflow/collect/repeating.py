"""Work done again and again in a thread of its own."""

from collections.abc import Callable
from threading import Event as Flag

from selflow.core.clock import Clock, owner_zone
from selflow.core.cron import CronTimes
from selflow.core.health import State
from selflow.core.threads import WatchedThread

_LONGEST_WAIT_S = 30.0
"""A wait for a time of the day is cut into these: a clock that is set, and sleep, move the time."""


class Repeating:
    """Calls ``work`` every ``interval_s``, and a last time, with True, when it is stopped.

    Args:
        name: The thread's.
        interval_s: Seconds between two calls.
        clock: For the waits.
        schedule: A cron line to follow instead of the interval; empty for the interval.
    """

    def __init__(self, name: str, interval_s: float, clock: Clock, schedule: str = "") -> None:
        self._times = CronTimes.parse(schedule) if schedule else None
        self._name = name
        self._interval_s = interval_s
        self._clock = clock
        self._stopping = Flag()
        self._thread: WatchedThread | None = None

    def start(self, work: Callable[[bool], None]) -> None:
        """Begin; the first call comes after one interval."""
        self._thread = WatchedThread(f"{self._name} thread", lambda: self._run(work))
        self._thread.start()

    def stop(self) -> None:
        """End, once the last call has returned. May be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def fault(self) -> str:
        """What ended it against its will; empty if nothing did."""
        return self._thread.fault if self._thread is not None else ""

    def state(self, *, has_problems: bool = False) -> State:
        """How it is, as a source says it of itself."""
        if self._stopping.is_set() or self.fault:
            return "dead"
        if self._thread is None:
            return "starting"
        return "degraded" if has_problems else "ok"

    def _run(self, work: Callable[[bool], None]) -> None:
        is_last = False
        while not is_last:
            is_last = self._wait()
            work(is_last)

    def _wait(self) -> bool:
        """Whether it was stopped before the next call was due."""
        if self._times is None:
            return self._clock.wait(self._stopping, self._interval_s)
        due_us = self._times.next_us(self._clock.now_us(), owner_zone())
        while (left_s := (due_us - self._clock.now_us()) / 1e6) > 0:
            if self._clock.wait(self._stopping, min(left_s, _LONGEST_WAIT_S)):
                return True
        return self._stopping.is_set()
