"""What rules of one floor expect of each other. They meet through these objects, never by
imports.
"""

from collections.abc import Sequence
from typing import Protocol

from selflow.core.clock import Clock
from selflow.core.events import Credits, Event, Fill, Stored

__all__ = ["Clock", "EventFeed", "EventSink", "Redactor", "TokenRow"]

TokenRow = tuple[Sequence[int], Sequence[float]]
"""Tokens of a byte model, and how much each counts when they are learned."""


class EventSink(Protocol):
    """Takes batches for good: the buffer, or an in-memory twin."""

    def append(self, source: str, batch_id: int, records: Sequence[bytes]) -> Credits:
        """Store a batch of encoded records (``codec.encode_record``) in one durable transaction.

        Returns only once the batch is durable. A repeated ``(source, batch_id)`` is answered with
        the sequence numbers of the first time and stores nothing.

        Raises:
            StoreError: Nothing of the batch was stored; the caller keeps it and asks again.
        """
        ...


class EventFeed(Protocol):
    """Hands out stored events in the order of their sequence numbers."""

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        """At most ``limit_events`` events whose sequence number is greater than ``after_seq``."""
        ...

    def fill(self) -> Fill:
        """How full the log and the buffer are."""
        ...


class Redactor(Protocol):
    """Takes secrets out of an event before anything else sees it."""

    def redact(self, event: Event) -> Event:
        """The same event with every secret replaced by a typed slot; pure and idempotent."""
        ...
