"""Requests that are being answered."""

from threading import Event as Flag


class InFlight:
    """Counts requests, so that what can wait waits for them. Entered and left on one thread."""

    def __init__(self) -> None:
        self._requests = 0
        self.nothing = Flag()
        """Set while there is none."""
        self.nothing.set()

    def __enter__(self) -> None:
        self._requests += 1
        self.nothing.clear()

    def __exit__(self, *_: object) -> None:
        self._requests -= 1
        if not self._requests:
            self.nothing.set()
