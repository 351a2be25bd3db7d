"""What the ingest door decides about one message, without sockets or threads.

The protocol is ``selflow/1`` (docs/ingest.md#messages). ``prepare`` turns frames into a batch of
records that may be stored, ``answer`` turns the outcome of the append into the frames of the reply.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

import msgpack

from selflow.collect.event_filter import EventFilter
from selflow.core.clock import Clock
from selflow.core.codec import WireBatch, WireLimits, decode_batch
from selflow.core.errors import Rejected, StoreError, WireError
from selflow.core.events import Credits
from selflow.core.grants import Grant

PROTOCOL = b"selflow/1"
Authorise = Callable[[str], Grant | None]
"""What a token may bring in; None: nothing. It must compare in constant time."""
Consents = Callable[[str], bool]
"""Whether the owner allowed this source to bring events in."""
IsPaused = Callable[[], bool]
"""Whether the owner has paused collection."""

_MAX_COUNTED_SOURCES = 100


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch that went through the event filter; nothing in it is unredacted."""

    source: str
    batch_id: int
    records: tuple[bytes, ...]
    dropped: int
    rejected: tuple[Rejected, ...]


class Outcomes:
    """Counts events by (source, outcome). Sources beyond the first hundred share the name
    ``other``.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._sources: set[str] = set()

    def add(self, source: str, outcome: str, events: int) -> None:
        """Count ``events`` more; 0 is not recorded."""
        if not events:
            return
        with self._lock:
            if source not in self._sources:
                source = source if len(self._sources) < _MAX_COUNTED_SOURCES else "other"
                self._sources.add(source)
            self._counts[source, outcome] += events

    def snapshot(self) -> dict[tuple[str, str], int]:
        """A copy: (source, outcome) -> events."""
        with self._lock:
            return dict(self._counts)


class Intake:
    """Checks, sifts and answers.

    Args:
        event_filter: Drops and redacts.
        clock: Says which events lie in the future.
        limits: What one batch may hold.
        outcomes: Where accepted, repeated, dropped, rejected and unavailable events are counted.
        consents: Whether the owner allowed a source; asked for each batch.
        is_paused: Whether nothing may come in now; asked for each batch.
    """

    def __init__(
        self,
        event_filter: EventFilter,
        clock: Clock,
        limits: WireLimits,
        outcomes: Outcomes,
        consents: Consents,
        is_paused: IsPaused,
    ) -> None:
        self._consents = consents
        self._is_paused = is_paused
        self._sieve = event_filter
        self._clock = clock
        self._limits = limits
        self._outcomes = outcomes

    def prepare(self, frames: Sequence[bytes], authorise: Authorise | None) -> Prepared:
        """The batch in the frames after the identity: protocol, batch and, where one is asked for,
        a token.

        Raises:
            WireError: ``bad_frames``, ``bad_protocol``, ``unauthenticated``, ``forbidden_source``,
            ``no_consent``, ``paused``, or what ``codec.decode_batch`` raises.
        """
        if len(frames) not in {2, 3}:
            raise WireError(
                "bad_frames", f"message of {len(frames)} frames; selflow/1 has 2, or 3 with a token"
            )
        if frames[0] != PROTOCOL:
            raise WireError("bad_protocol", "the first frame is not selflow/1")
        grant = None if authorise is None else _grant(frames, authorise)
        batch = decode_batch(frames[1], self._clock.now_us(), self._limits)
        if grant is not None:
            _check_sources(grant, batch)
        if not self._sieve.allows_name(batch.source):
            raise WireError("bad_batch", "the name of the source looks like a secret")
        if not self._consents(batch.source):
            raise WireError(
                "no_consent", "the owner has not allowed this source: selflow init --grant ingest"
            )
        if self._is_paused():
            raise WireError("paused", "collection is paused; nothing of this time is kept")
        sifted = self._sieve.apply(batch.events)
        self._outcomes.add(batch.source, "dropped", sifted.dropped)
        self._outcomes.add(batch.source, "rejected", len(batch.rejected))
        return Prepared(
            batch.source, batch.batch_id, sifted.records, sifted.dropped, batch.rejected
        )

    def stored(self, batch: Prepared, result: Credits | None, credits_left: int) -> list[bytes]:
        """The acknowledgement. ``result`` is None if there was nothing to store."""
        accepted = 0
        if result is not None:
            accepted = result.last_seq - result.first_seq + 1 if result.first_seq else 0
            self._outcomes.add(
                batch.source, "repeated" if result.is_repeat else "accepted", accepted
            )
        reply = {
            "batch_id": batch.batch_id,
            "accepted": accepted,
            "dropped": batch.dropped,
            "rejected": [{"index": item.index, "code": item.code} for item in batch.rejected],
            "credits": max(0, credits_left),
        }
        return [b"ack", msgpack.packb(reply)]

    def unavailable(self, batch: Prepared, error: BaseException | None) -> list[bytes]:
        """Nothing was stored; the sender keeps the batch and asks again."""
        self._outcomes.add(batch.source, "unavailable", len(batch.records))
        why = str(error) if isinstance(error, StoreError) else "the event log does not answer"
        return refusal("unavailable", why, batch.batch_id)


def _grant(frames: Sequence[bytes], authorise: Authorise) -> Grant:
    grant = authorise(frames[2].decode("ascii", "replace")) if len(frames) == 3 else None
    if grant is None:
        raise WireError("unauthenticated", "the third frame must be a valid token on this address")
    return grant


def _check_sources(grant: Grant, batch: WireBatch) -> None:
    """An event may name another source than its batch, so that each is looked at."""
    names = {batch.source, *(event.source for event in batch.events)}
    if grant.sources and not names <= grant.sources:
        allowed = ", ".join(sorted(grant.sources))
        raise WireError("forbidden_source", f"the token is restricted to the sources {allowed}")


def refusal(code: str, message: str, batch_id: int | None = None) -> list[bytes]:
    """The frames of an ``err`` reply."""
    reply: dict[str, str | int] = {"code": code, "message": message}
    if batch_id is not None:
        reply["batch_id"] = batch_id
    return [b"err", msgpack.packb(reply)]
