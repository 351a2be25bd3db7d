"""The buffer: the only writer of the event log, and how services and Serve reach it."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

import ray
from ray.exceptions import GetTimeoutError, RayActorError

from actors.plan import BufferSection
from actors.shell import Pulse, ServiceRef, keep_trying, service
from selflow.core.clock import SystemClock
from selflow.core.errors import NotRunningError, StoreError
from selflow.core.events import Credits, Fill, Stored
from selflow.core.health import Health
from selflow.store.log import EventLog


class BufferShell:
    """Hands calls to an EventLog. Holds no rule of its own."""

    def __init__(self, section: BufferSection) -> None:
        self._section = section
        self._clock = SystemClock()
        self._pulse = Pulse("buffer", section.version, section.config_hash)
        self._log: EventLog | None = None
        self._stop = threading.Event()
        # A raising constructor can be final and the predecessor may still hold the lock: open in
        # the background.
        self._pulse.run(lambda: keep_trying(self._open, self._pulse, self._clock, self._stop))

    @ray.method(concurrency_group="health")
    def health(self) -> Health:
        """Identity and state."""
        return self._pulse.health()

    @ray.method
    def append(self, source: str, batch_id: int, records: Sequence[bytes]) -> Credits:
        """Store a batch; returns once it is durable."""
        return self._opened().append(source, batch_id, records)

    @ray.method
    def consume(self, upto_seq: int) -> None:
        """Empty the buffer up to what a finished cycle has learned from; the log stays."""
        self._opened().consume(upto_seq)

    @ray.method
    def forget(self, seqs: Sequence[int]) -> int:
        """Delete events for good; returns once their bytes are gone."""
        return self._opened().forget(seqs)

    @ray.method(concurrency_group="read")
    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        """Events behind a sequence number."""
        return self._opened().read(after_seq, limit_events)

    @ray.method(concurrency_group="read")
    def fill(self) -> Fill:
        """How full the log and the buffer are."""
        return self._opened().fill()

    def _open(self) -> None:
        section = self._section
        self._log = EventLog(
            section.events, budget_bytes=section.budget_bytes, credits=section.credits
        )

    def _opened(self) -> EventLog:
        if self._log is None:
            raise StoreError(
                "the event log is not open yet",
                "the buffer retries; selflow status shows the reason",
            )
        return self._log

    def __ray_shutdown__(self) -> None:
        self._stop.set()
        if self._log is not None:
            self._log.close()


BufferActor = service(BufferShell, groups={"health": 1, "read": 2})


_BUFFER = ServiceRef("buffer", BufferShell)


class BufferLink:
    """An EventSink and an EventFeed over the buffer actor. Plain values only, so that it
    travels.
    """

    def __init__(self, timeout_s: float = 20.0) -> None:
        self._timeout_s = timeout_s

    def append(self, source: str, batch_id: int, records: Sequence[bytes]) -> Credits:
        """Store a batch durably.

        Raises:
            StoreError: The buffer is unavailable or failed. The batch may have been stored;
                sending it again with the same ``batch_id`` is safe.
        """
        return cast(
            "Credits",
            self._call(lambda buffer: buffer.append.remote(source, batch_id, list(records))),
        )

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        """Events behind a sequence number."""
        return cast(
            "Sequence[Stored]",
            self._call(lambda buffer: buffer.read.remote(after_seq, limit_events)),
        )

    def fill(self) -> Fill:
        """How full the log is."""
        return cast("Fill", self._call(lambda buffer: buffer.fill.remote()))

    def consume(self, upto_seq: int) -> None:
        """A finished cycle has learned from everything up to ``upto_seq``."""
        self._call(lambda buffer: buffer.consume.remote(upto_seq))

    def forget(self, seqs: Sequence[int]) -> int:
        """Delete events for good."""
        return cast("int", self._call(lambda buffer: buffer.forget.remote(list(seqs))))

    def _call(self, call: Callable[[Any], Any]) -> object:
        try:
            return ray.get(call(_BUFFER.handle()), timeout=self._timeout_s)
        except (RayActorError, GetTimeoutError, NotRunningError) as error:
            raise StoreError(
                f"the buffer is unavailable ({type(error).__name__})",
                "the supervisor recreates it; try again",
            ) from error
