"""The event log brought to a learner, in a thread of its own."""

import logging
from collections.abc import Callable, Sequence
from threading import Event as Flag
from typing import Protocol

from selflow.core.clock import Clock
from selflow.core.errors import SelFlowError
from selflow.core.events import Stored
from selflow.core.ports import EventFeed
from selflow.core.threads import WatchedThread

READ_EVENTS = 500
"""Events asked of the feed at once."""
LEARN_EVENTS = 10
"""Events learned in one go; a request waits for at most this many (15 ms each if agents are asked
too).
"""
POLL_S = (0.2, 1.0)
"""Pause after an empty read: the first, and the longest that it grows to."""
RETRY_S = 1.0
"""Pause after a failure."""
_log = logging.getLogger(__name__)


class Learner(Protocol):
    """Something that knows the log up to its cursor."""

    @property
    def cursor(self) -> int:
        """The sequence number of the last event that it has learned."""

    def learn(self, events: Sequence[Stored]) -> None:
        """Learn the next events.

        Raises:
            StoreError: What is needed for it is unavailable; the cursor says what is done.
        """


class LogFollower:
    """Reads what comes after a learner's cursor and hands it over in small portions.

    Args:
        name: Who learns, for the log and the health.
        feed: The log.
        open_learner: Called for each read; None while there is nobody to learn yet.
        clock: Waits between the reads.
    """

    def __init__(
        self,
        name: str,
        feed: EventFeed,
        open_learner: Callable[[], Learner | None],
        clock: Clock,
    ) -> None:
        self._name = name
        self._feed = feed
        self._open_learner = open_learner
        self._clock = clock
        self._stopping = Flag()
        self._thread = WatchedThread(name, self._run)
        self._cursor = 0
        self.error = ""
        """Why the learner is not up to date; empty if it is, or will be in a moment."""

    @property
    def fault(self) -> str:
        """What ended the thread against its will."""
        return self._thread.fault

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Hand over nothing more after the present portion."""
        self._stopping.set()

    def pause(self, duration_s: float) -> bool:
        """Let the learner wait; False if it shall stop instead."""
        return not self._clock.wait(self._stopping, duration_s)

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for the thread's end."""
        self._thread.join(timeout_s)

    def step(self) -> bool:
        """Open the learner if that is still to do, and let it learn what has come; True if
        more waits.

        Never raises for a store that is unavailable: the learner goes on with what it knows.
        """
        try:
            learner = self._open_learner()
            if learner is None:
                return False
            events = self._feed.read(learner.cursor, READ_EVENTS)
            for start in range(0, len(events), LEARN_EVENTS):
                if self._stopping.is_set():
                    return False
                learner.learn(events[start : start + LEARN_EVENTS])
            self._cursor, self.error = learner.cursor, ""
        except SelFlowError as error:
            if not self.error:
                _log.warning("the %s is not up to date: %s", self._name, error)
            self.error = str(error)
            return False
        return len(events) == READ_EVENTS

    def _run(self) -> None:
        pause_s = POLL_S[0]
        while not self._stopping.is_set():
            cursor = self._cursor
            if self.step():
                continue
            pause_s = POLL_S[0] if self._cursor != cursor else min(POLL_S[1], pause_s * 1.5)
            self._clock.wait(self._stopping, RETRY_S if self.error else pause_s)
