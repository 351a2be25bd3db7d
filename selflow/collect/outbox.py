"""How the collector's own events reach the sink: sifted, in batches, and kept while the sink is
away.
"""

import secrets
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from selflow.collect.event_filter import EventFilter
from selflow.collect.intake import Outcomes
from selflow.collect.repeating import Repeating
from selflow.core.clock import Clock
from selflow.core.codec import WireLimits
from selflow.core.errors import StoreError, public_text
from selflow.core.events import Event
from selflow.core.ports import EventSink

_MAX_READY_BATCHES = 64
_RETRY_S = 1.0


class Batch(Protocol):
    """Records under the number that makes them storable once."""

    @property
    def source(self) -> str:
        """Who reported the events."""
        ...

    @property
    def batch_id(self) -> int:
        """Unsigned, 64 bits, unique for the source."""
        ...

    @property
    def records(self) -> Sequence[bytes]:
        """Encoded events, redacted."""
        ...


class Spool(Protocol):
    """Keeps batches on disk for the time the sink is unavailable."""

    def put(self, source: str, batch_id: int, records: Sequence[bytes]) -> None:
        """Keep a batch durably. Raises StoreError if it cannot."""
        ...

    def pending(self) -> Iterator[Batch]:
        """Every batch that waits, in the order in which they were put."""
        ...

    def done(self, source: str, batch_id: int) -> None:
        """Forget a batch that the sink has."""
        ...


@dataclass(frozen=True, slots=True)
class _Batch:
    source: str
    batch_id: int
    records: tuple[bytes, ...]


class Batcher:
    """Gathers records by source until a batch is full or old enough. Pure.

    Args:
        limits: What one batch may hold.
        max_age_s: How long a record waits for company.
        first_id: Where the batch numbers begin; they count up modulo 2^64.
    """

    def __init__(self, limits: WireLimits, max_age_s: float, first_id: int) -> None:
        self._limits = limits
        self._max_age_s = max_age_s
        self._next_id = first_id
        self._open: dict[str, tuple[float, list[bytes]]] = {}
        self._size_bytes: dict[str, int] = {}
        self._full: list[_Batch] = []

    def add(self, source: str, record: bytes, now_s: float) -> None:
        """Take one record; a batch that it does not fit into is closed first."""
        records = self._open.setdefault(source, (now_s, []))[1]
        size_bytes = self._size_bytes.get(source, 0) + len(record)
        if records and size_bytes > self._limits.max_batch_bytes:
            self._close(source)
            records = self._open.setdefault(source, (now_s, []))[1]
            size_bytes = len(record)
        records.append(record)
        self._size_bytes[source] = size_bytes
        if len(records) == self._limits.max_batch_events:
            self._close(source)

    def take(self, now_s: float, *, everything: bool = False) -> list[_Batch]:
        """The batches that are full or old enough; all of them if asked."""
        for source in [
            source
            for source, (since_s, _) in self._open.items()
            if everything or now_s - since_s >= self._max_age_s
        ]:
            self._close(source)
        full, self._full = self._full, []
        return full

    def _close(self, source: str) -> None:
        _, records = self._open.pop(source)
        self._size_bytes.pop(source)
        self._full.append(_Batch(source, self._next_id, tuple(records)))
        self._next_id = (self._next_id + 1) % (1 << 64)


class Outbox:
    """Delivers what the collector's own sources emit.

    A batch goes to the sink; if that fails it goes to the spool, and the batches after it too, so
    that each source's order holds. If the spool fails as well, 64 batches stay in memory; what
    comes then is counted as ``lost``. Batch numbers begin at a random 64-bit number: two runs do
    not meet.

    Args:
        sink: Takes the records for good.
        event_filter: Drops and redacts at once, so nothing else is ever held.
        spool: Keeps batches while the sink is unavailable, also over a restart.
        clock: For ages and waits.
        limits: What one batch may hold.
        flush_interval_s: How long an event waits for company.
    """

    def __init__(
        self,
        sink: EventSink,
        event_filter: EventFilter,
        spool: Spool,
        clock: Clock,
        limits: WireLimits,
        flush_interval_s: float,
    ) -> None:
        self._sink = sink
        self._sieve = event_filter
        self._spool = spool
        self._clock = clock
        self._batcher = Batcher(limits, flush_interval_s, secrets.randbits(64))
        self._ready: deque[Batch] = deque()
        self._retry_at_s = 0.0
        self._lock = Lock()
        self._outcomes = Outcomes()
        self._last_error = ""
        self._repeating = Repeating("outbox", flush_interval_s, clock)

    def offer(self, events: Sequence[Event], batch_id: int | None = None) -> bool:
        """Take events from a source; any thread. They are redacted before this returns.

        With a number they are one batch, for the sink alone: True once it has them.
        """
        if batch_id is not None:
            return self._store(events, batch_id)
        for event in events:
            sifted = self._sieve.apply([event])
            self._outcomes.add(event.source, "dropped", sifted.dropped)
            with self._lock:
                for record in sifted.records:
                    self._batcher.add(event.source, record, self._clock.monotonic_s())

        return True

    def _store(self, events: Sequence[Event], batch_id: int) -> bool:
        source = events[0].source
        sifted = self._sieve.apply(events)
        if sifted.records and not (
            self._may_send and self._append(_Batch(source, batch_id, sifted.records))
        ):
            return False
        self._outcomes.add(source, "dropped", sifted.dropped)
        return True

    def step(self, *, everything: bool = False) -> None:
        """Deliver what is due: first what the spool holds, then the rest. For one thread at
        a time.
        """
        now_s = self._clock.monotonic_s()
        with self._lock:
            due = self._batcher.take(now_s, everything=everything)
        for batch in due:
            if len(self._ready) < _MAX_READY_BATCHES:
                self._ready.append(batch)
            else:
                self._outcomes.add(batch.source, "lost", len(batch.records))
        if not self._deliver():
            self._keep()

    def start(self) -> None:
        """Deliver in a thread of its own, what the last run left behind first."""
        self._repeating.start(lambda is_last: self.step(everything=is_last))

    def stop(self) -> None:
        """Deliver or spool everything that was offered, then end. May be called twice."""
        self._repeating.stop()

    def outcomes(self) -> dict[tuple[str, str], int]:
        """Events by (source, outcome): accepted, repeated, dropped, spooled, lost."""
        return self._outcomes.snapshot()

    @property
    def last_error(self) -> str:
        """Why the last delivery failed; empty once one has succeeded. Never content."""
        return self._last_error

    @property
    def fault(self) -> str:
        """What ended its thread against its will; nothing is delivered any more then."""
        return self._repeating.fault

    def _deliver(self) -> bool:
        """Whether everything went to the sink."""
        try:
            for batch in self._spool.pending():
                if not self._may_send or not self._append(batch):
                    return False
                self._spool.done(batch.source, batch.batch_id)
            while self._ready:
                if not self._may_send or not self._append(self._ready[0]):
                    return False
                self._ready.popleft()
        except StoreError as error:
            self._fail(error)
            return False
        return True

    @property
    def _may_send(self) -> bool:
        return self._clock.monotonic_s() >= self._retry_at_s

    def _append(self, batch: Batch) -> bool:
        """Whether the sink has the batch. A sink may fail in ways of its own; the thread goes on in
        any case.
        """
        try:
            stored = self._sink.append(batch.source, batch.batch_id, batch.records)
        except Exception as error:  # noqa: BLE001  (what a foreign sink raises is told, and the batch is kept)
            self._fail(error)
            return False
        self._last_error = ""
        self._outcomes.add(
            batch.source, "repeated" if stored.is_repeat else "accepted", len(batch.records)
        )
        return True

    def _fail(self, error: Exception) -> None:
        self._last_error = public_text(error)
        self._retry_at_s = self._clock.monotonic_s() + _RETRY_S

    def _keep(self) -> None:
        """Move what waits in memory to the spool, as far as the spool takes it."""
        try:
            while self._ready:
                batch = self._ready[0]
                self._spool.put(batch.source, batch.batch_id, batch.records)
                self._outcomes.add(batch.source, "spooled", len(batch.records))
                self._ready.popleft()
        except StoreError as error:
            self._fail(error)
