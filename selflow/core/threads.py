"""Threads of ours: none ends of a fault without being noticed."""

import logging
from collections.abc import Callable
from threading import Thread

from selflow.core.errors import location_of

_log = logging.getLogger(__name__)


class WatchedThread:
    """A daemon thread that remembers the fault that ended it.

    Args:
        name: What it does, for the log and the health of its service.
        run: Its work; returning is an ordinary end.
        at_fault: Called in the thread after an exception that nobody caught.
    """

    def __init__(
        self, name: str, run: Callable[[], None], at_fault: Callable[[], None] | None = None
    ) -> None:
        self.name = name
        self.fault = ""
        """Why it ended; empty while it runs and after an ordinary end. Never an event's content."""
        self._work = run
        self._at_fault = at_fault
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout_s: float | None = None) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001  (the thread's last line: its service is recreated)
            self.fault = f"the {self.name} has ended ({type(error).__name__})"
            _log.error("the %s has ended: %s", self.name, location_of(error))
            if self._at_fault is not None:
                self._at_fault()
