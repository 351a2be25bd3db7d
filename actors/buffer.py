"""The buffer: the only writer of the event log."""

import threading
from collections.abc import Sequence

import ray

from actors.plan import BufferSection
from actors.shell import Pulse, keep_trying, service
from selflow.core.clock import SystemClock
from selflow.core.errors import StoreError
from selflow.core.events import Credits, Fill, Stored
from selflow.core.health import Health
from selflow.store.log import EventLog


class BufferShell:
    """Hands calls to an EventLog. Holds no rule of its own."""

    def __init__(self, section: BufferSection) -> None:
        self._section = section
        self._clock = SystemClock()
        self._pulse = Pulse("buffer", section.version, section.config_hash, self._clock)
        self._log: EventLog | None = None
        self._stop = threading.Event()
        # A raising constructor can be final and the predecessor may still hold the lock: open in
        # the background.
        threading.Thread(
            target=keep_trying, args=(self._open, self._pulse, self._clock, self._stop), daemon=True
        ).start()

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
                "the event log is not open yet", "the buffer keeps trying; selflow status says why"
            )
        return self._log

    def __ray_shutdown__(self) -> None:
        self._stop.set()
        if self._log is not None:
            self._log.close()


BufferActor = service(BufferShell, groups={"health": 1, "read": 2})
