"""Sending events over ZeroMQ, so that none is lost and none is stored twice.

A batch stays with the client until the server acknowledges it. It is sent again, under the same
number, after a time without an answer and after an ``unavailable``; the server knows the number and
stores it once.
"""

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Self

import msgpack
import zmq

from selflow.core.clock import Clock, SystemClock
from selflow.core.codec import WireLimits, encode_batch, encode_record
from selflow.core.errors import NotRunningError, RefusedError, Rejected, WireError
from selflow.core.events import Event

_PROTOCOL = b"selflow/1"
_RETRYABLE = frozenset({"unavailable", "rate_limited"})
_REFUSALS = {
    "unauthenticated": "give a valid token; see SELFLOW_TOKEN",
    "forbidden_source": "use a token for this source: selflow token create --source",
    "no_consent": "ask the owner: selflow init",
    "paused": "nothing of a pause is kept: drop it, or ask the owner: selflow resume",
}
_BATCH_OVERHEAD_BYTES = 256
_LOOK_S = 0.05
DIGEST_BYTES = 4
_MAX_KEPT_RESULTS = 10_000


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of one batch: events stored (now or when it came first), dropped by privacy
    rules, rejected.
    """

    batch_id: int
    accepted: int
    dropped: int
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """When a client sends again, and how much it keeps.

    ``resend_after_s``: a batch without an answer for this long is sent again. ``retry_s``: the wait
    after an ``unavailable``, and between two looks at an empty credit. ``max_pending_batches``:
    beyond this many, ``send`` waits for acknowledgements, for up to ``timeout_s``.
    """

    resend_after_s: float = 5.0
    retry_s: float = 0.25
    max_pending_batches: int = 64
    timeout_s: float = 30.0


@dataclass(slots=True)
class _Pending:
    batch_id: int
    payload: bytes
    sent_at_s: float | None = None


def content_batch_id(index: int, events: Sequence[Event]) -> int:
    """A number made from what a batch holds and its place in its file: the same file gives the same
    numbers.

    An estimated time says nothing of what an event is: it changes when the file grows. Changing
    this makes every file that was imported before import a second time.
    """
    digest = blake2b(index.to_bytes(8, "big"), digest_size=8)
    for event in events:
        digest.update(_content(event))
    return int.from_bytes(digest.digest(), "big")


def content_digest(event: Event) -> bytes:
    """The bytes by which an event is known again in its file. So few that nobody can find out by
    trying what it held; a sequence of them is still told apart.
    """
    return blake2b(_content(event), digest_size=DIGEST_BYTES).digest()


def _content(event: Event) -> bytes:
    is_estimated = event.data.get("is_time_estimated") is True
    return encode_record(replace(event, ts_us=0) if is_estimated else event)


def batches(events: Iterable[Event], source: str, limits: WireLimits) -> Iterator[list[Event]]:
    """Events in groups that fit one batch; lazy.

    Raises:
        WireError: ``too_large`` if one event alone does not fit, ``bad_event`` if it cannot be
        encoded.
    """
    group: list[Event] = []
    size_bytes = 0
    room_bytes = limits.max_batch_bytes - _BATCH_OVERHEAD_BYTES - len(source.encode())
    for index, event in enumerate(events):
        try:
            event_bytes = len(encode_batch("", 0, [event]))
        except (ValueError, TypeError, OverflowError) as error:
            raise WireError(
                "bad_event", f"event {index} holds a value that is not JSON or not Unicode"
            ) from error
        if event_bytes > room_bytes:
            raise WireError(
                "too_large",
                f"event {index} has {event_bytes:,} bytes; a batch holds {room_bytes:,}",
            )
        if group and (
            size_bytes + event_bytes > room_bytes or len(group) == limits.max_batch_events
        ):
            yield group
            group, size_bytes = [], 0
        group.append(event)
        size_bytes += event_bytes
    if group:
        yield group


class IngestClient:
    """A sender with no thread of its own: replies are read whenever it is called. For one thread.

    Batch numbers start at a random 64-bit number, so two runs of a program do not meet: two runs of
    a million batches each overlap with a chance of 1e-13, whatever the clock does.

    Args:
        address: ``ipc://PATH`` or ``tcp://127.0.0.1:PORT``.
        source: The name under which the events are stored.
        token: Sent with each batch; needed over TCP.
        limits: What one batch may hold; the server's must not be smaller.
        pace: How long to wait, how much to keep.
        clock: For the waiting times.
    """

    def __init__(
        self,
        address: str,
        source: str,
        token: str | None = None,
        *,
        limits: WireLimits | None = None,
        pace: Pace | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._address = address
        self._source = source
        self._token = token
        self._limits = limits or WireLimits()
        self._pace = pace or Pace()
        self._clock = clock or SystemClock()
        self._next_id = secrets.randbits(64)
        self._pending: dict[int, _Pending] = {}
        self._credits = 1
        self._hold_until_s = 0.0
        self._results: deque[BatchResult] = deque(maxlen=_MAX_KEPT_RESULTS)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing queues for a server that is not there
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 50)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1_000)
        self._socket.connect(address)

    def send(self, events: Iterable[Event]) -> None:
        """Hand events over; returns once they wait here or are sent, not once they are stored (see
        ``flush``).

        Raises:
            NotRunningError: If too many batches wait and none is acknowledged in time. Those stay
            and are sent
                by later calls; of ``events``, those that are not yet in a batch are not taken.
            RefusedError: If the token is refused, or the owner has not consented to the source.
            WireError: ``too_large`` for an event that fits no batch.
        """
        for group in batches(events, self._source, self._limits):
            self.send_batch(self._next_id, group)
            self._next_id = (self._next_id + 1) % (1 << 64)

    def send_batch(self, batch_id: int, events: Sequence[Event]) -> None:
        """Hand over one batch under a number of the caller's (``content_batch_id``), so that it is
        stored once.

        Raises: As ``send``.
        """
        payload = encode_batch(self._source, batch_id, events)
        if (
            len(payload) > self._limits.max_batch_bytes
            or len(events) > self._limits.max_batch_events
        ):
            raise WireError(
                "too_large",
                f"batch of {len(payload):,} bytes and {len(events):,} events; see batches()",
            )
        self._pump_until(
            lambda: len(self._pending) < self._pace.max_pending_batches, self._pace.timeout_s
        )
        self._pending.setdefault(batch_id, _Pending(batch_id, payload))
        self._pump(0.0)

    def flush(self, timeout_s: float) -> list[BatchResult]:
        """Wait until everything is acknowledged or refused; the results since the last call.

        (Of the last 10,000 batches; a program that never asks does not grow.)

        Raises:
            NotRunningError: If batches are still waiting after ``timeout_s``; they stay.
            RefusedError: If the token is refused, or the owner has not consented to the source.
            WireError: If the server could not read a message.
        """
        self._pump_until(lambda: not self._pending, timeout_s)
        results = list(self._results)
        self._results.clear()
        return results

    def _pump_until(self, is_done: Callable[[], bool], timeout_s: float) -> None:
        deadline_s = self._clock.monotonic_s() + timeout_s
        while not is_done():
            left_s = deadline_s - self._clock.monotonic_s()
            if left_s <= 0:
                raise NotRunningError(
                    f"{self._address} has not acknowledged {len(self._pending)} batches "
                    f"in {timeout_s:g} s",
                    "they are kept; selflow status shows what runs",
                )
            self._pump(min(left_s, _LOOK_S))

    def _pump(self, wait_s: float) -> None:
        """Send what may be sent, then read replies, the first of them for up to ``wait_s``."""
        now_s = self._clock.monotonic_s()
        self._expire(now_s)
        if now_s >= self._hold_until_s:
            self._send_waiting(now_s)
        wait_ms = round(wait_s * 1_000)
        while self._socket.poll(wait_ms):
            self._read(self._socket.recv_multipart())
            wait_ms = 0

    def _expire(self, now_s: float) -> None:
        """From the first batch that waited too long for its answer, all are sent again, in their
        order.
        """
        is_late = False
        for batch in self._pending.values():
            if batch.sent_at_s is not None:
                is_late = is_late or now_s - batch.sent_at_s > self._pace.resend_after_s
                batch.sent_at_s = None if is_late else batch.sent_at_s

    def _send_waiting(self, now_s: float) -> None:
        """As far as the credits go; with none left, one batch asks whether there are new ones."""
        in_flight = sum(batch.sent_at_s is not None for batch in self._pending.values())
        for batch in self._pending.values():
            if in_flight >= max(1, self._credits):
                return
            if batch.sent_at_s is None:
                frames = [_PROTOCOL, batch.payload] + (
                    [self._token.encode()] if self._token else []
                )
                try:
                    self._socket.send_multipart(frames, zmq.NOBLOCK)
                except zmq.Again:
                    return  # nobody is there; the batch stays
                batch.sent_at_s = now_s
                in_flight += 1

    def _read(self, frames: list[bytes]) -> None:
        try:
            kind, body = frames
            reply = msgpack.unpackb(body)
            code = "" if kind == b"ack" else str(reply["code"])
            if kind == b"ack":
                self._acknowledge(reply)
        except (ValueError, KeyError, TypeError, msgpack.UnpackException) as error:
            raise WireError(
                "bad_reply", f"{self._address} does not use the protocol selflow/1"
            ) from error
        if not code:
            return
        if code not in _RETRYABLE:
            self._forget_sent()
            if code in _REFUSALS:
                raise RefusedError(f"{self._address}: {reply.get('message', '')}", _REFUSALS[code])
            raise WireError(code, str(reply.get("message", "")))
        self._hold_until_s = self._clock.monotonic_s() + self._pace.retry_s
        if (batch := self._pending.get(reply.get("batch_id"))) is not None:
            batch.sent_at_s = None

    def _acknowledge(self, reply: dict[str, Any]) -> None:
        self._credits = int(reply["credits"])
        if not self._credits:
            self._hold_until_s = self._clock.monotonic_s() + self._pace.retry_s
        if (
            self._pending.pop(reply["batch_id"], None) is not None
        ):  # a batch sent twice is answered twice
            rejected = tuple(Rejected(item["index"], item["code"]) for item in reply["rejected"])
            self._results.append(
                BatchResult(reply["batch_id"], reply["accepted"], reply["dropped"], rejected)
            )

    def _forget_sent(self) -> None:
        for batch in self._pending.values():
            batch.sent_at_s = None

    @property
    def pending_batches(self) -> int:
        """Batches that are not acknowledged yet."""
        return len(self._pending)

    def close(self) -> None:
        """Leave at once; what is pending is dropped, so call ``flush`` first. May be called
        twice.
        """
        self._socket.close()
        self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
