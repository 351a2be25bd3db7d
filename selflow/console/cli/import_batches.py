"""Sending many events through the ingest, so that the same file sent twice adds nothing."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from selflow.console.cli.progress import Show, progress
from selflow.core.clock import Clock
from selflow.core.codec import WireLimits, encode_record
from selflow.core.errors import NotRunningError
from selflow.core.events import Event
from selflow.core.invocation import Invocation
from selflow.core.plugins import load_one

if TYPE_CHECKING:
    from selflow.collect.progress import Progress
    from selflow.sdk.ingest import IngestClient

_FLUSH_BATCHES = 256
_ANSWER_LIMIT_S = 60.0
_CONSENT_ACTS_S = 1.2
"""The collector looks a consent up again after a second."""
_MAX_SUBJECT_CHARS = 4_096
RETAINED_EVENTS = 2_000
"""A cut at the front is found with any number; a diff of a rewritten file looks at this many."""


class ImportLedger(Protocol):
    """Where runs are noted: ``selflow.store.import_ledger``, found by the entry-point group
    ``selflow.imports``.
    """

    def allow(self) -> bool:
        """Note the owner's consent to imports; False if it stood already."""
        ...

    def start(self, label: str, path: Path, source: str) -> str:
        """Note a new run; returns its id."""
        ...

    def progress(self, import_id: str, events: int, accepted: int, rejected: int) -> None:
        """How far a run is."""
        ...

    def finish(
        self, import_id: str, state: Literal["done", "failed"], digests: Sequence[bytes] = ()
    ) -> None:
        """The end of a run, and the digests of the newest events of a file that is followed."""
        ...

    def followed(self, path: Path, source: str, digest_bytes: int) -> tuple[int, list[bytes]]:
        """How many events the runs of a followed file have read together, and the digests that
        the last one retained.
        """
        ...

    def ends(self, path: Path, source: str) -> list[int]:
        """After how many events earlier runs of this file ended."""
        ...

    def stored(self, source: str, batch_id: int) -> int | None:
        """How many events of this batch the log holds already; None if it never came."""
        ...


@dataclass(slots=True)
class SendResult:
    """What became of the events."""

    import_id: str
    events: int = 0
    accepted: int = 0
    already_there: int = 0
    dropped: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class ImportBatch:
    """A file's events under one source. ``speed`` 2 sends twice as fast as it happened; None sends
    at once.
    """

    label: str
    path: Path
    source: str
    events: Iterable[Event]
    reading: "Progress"
    speed: float | None = None
    is_followed: bool = False
    """The writer of the file also cuts it at its front, so that what is new is found by content, by
    the rule of the live source; otherwise files only grow.
    """


@dataclass(frozen=True, slots=True)
class _Followed:
    """A followed file beside what earlier runs read of it."""

    events_before: int
    before: list[bytes]
    after: list[bytes]
    new: list[int]

    def retained(self, answered: int | None = None) -> list[bytes]:
        """What the next run is compared with; ``answered`` new events of a run that failed."""
        if answered is None:
            return self.after[-RETAINED_EVENTS:]
        done = [self.after[position] for position in self.new[:answered]]
        return [*self.before, *done][-RETAINED_EVENTS:]


def deliver(call: Invocation, batch: ImportBatch, clock: Clock) -> SendResult:
    """Send the batch, note the run, and return once everything is answered for.

    Raises:
        NotRunningError: No ingest answers; what was acknowledged stays.
        KeyboardInterrupt: The owner had enough; what was acknowledged stays.
    """
    address = call.endpoints().get("ingest")
    if address is None:
        raise NotRunningError(
            "SelFlow is not running; an import needs it", "start it with: selflow up"
        )
    from selflow.sdk.ingest import IngestClient

    limits = _limits(call)
    with (
        _book(call) as book,
        IngestClient(address, batch.source, limits=limits, clock=clock) as client,
    ):
        if book.allow():
            call.note("consent recorded: import; to revoke it: selflow init --revoke import")
            clock.sleep(_CONSENT_ACTS_S)
        run = _Run(
            book, client, batch, SendResult(book.start(batch.label, batch.path, batch.source))
        )
        try:
            with progress(call, batch.label) as show:
                run.send(limits, clock, show)
        except BaseException:
            run.note("failed")
            call.note(
                f"stopped after {run.result.events:,} events, which are stored; the same "
                "command continues from there"
            )
            raise
        run.note("done")
    return run.result


@dataclass(slots=True)
class _Run:
    book: ImportLedger
    client: "IngestClient"
    batch: ImportBatch
    result: SendResult
    unanswered: list[int] = field(default_factory=list)
    """Sizes of the batches that were sent and not yet asked for, in their order."""
    followed: _Followed | None = None

    def send(self, limits: WireLimits, clock: Clock, show: Show) -> None:
        from selflow.sdk.ingest import batches, content_batch_id

        path, source = self.batch.path, self.batch.source
        first, events, ends = 0, self.batch.events, self.book.ends(path, source)
        if self.batch.is_followed:
            events = self._new_events(list(events))
            # Numbered on, so that a command that is repeated after each import is stored each time
            first, ends = self.followed.events_before if self.followed else 0, []
        pieces = _pieces(self._fitting(events, limits), ends)
        if self.batch.speed is not None:
            pieces = _paced(pieces, self.batch.speed, clock)
        groups = (group for piece in pieces for group in batches(piece, self.batch.source, limits))
        for number, group in enumerate(groups, start=first):
            batch_id = content_batch_id(number, group)
            known = self.book.stored(self.batch.source, batch_id)
            if known is None:
                self.client.send_batch(batch_id, group)
                self.unanswered.append(len(group))
            else:
                self.result.already_there += known
                self.result.events += len(group)
            if len(self.unanswered) >= _FLUSH_BATCHES or self.batch.speed is not None:
                self.settle()
            show(self.batch.reading.done, self.batch.reading.total)
        self.settle()

    def settle(self) -> None:
        """Wait for the answers to everything sent."""
        for result in self.client.flush(_ANSWER_LIMIT_S):
            self.result.accepted += result.accepted
            self.result.dropped += result.dropped
            self.result.rejected.update(rejected.code for rejected in result.rejected)
        self.result.events += sum(self.unanswered)
        self.unanswered.clear()

    def note(self, state: Literal["done", "failed"]) -> None:
        """Write down how far the run came; batches are acknowledged in their order."""
        answered = self.unanswered[: len(self.unanswered) - self.client.pending_batches]
        self.result.events += sum(answered)
        self.unanswered.clear()
        result = self.result
        self.book.progress(
            self.result.import_id, result.events, result.accepted, sum(result.rejected.values())
        )
        digests: list[bytes] = []
        if self.followed is not None:
            old = len(self.followed.after) - len(self.followed.new)
            answered_new = None if state == "done" else self.result.events - old
            digests = self.followed.retained(answered_new)
        self.book.finish(self.result.import_id, state, digests)

    def _new_events(self, events: list[Event]) -> list[Event]:
        """The events that no earlier run of this file read."""
        from selflow.collect.history_file import added
        from selflow.sdk.ingest import DIGEST_BYTES, content_digest

        read, before = self.book.followed(self.batch.path, self.batch.source, DIGEST_BYTES)
        after = [content_digest(event) for event in events]
        self.followed = _Followed(read, before, after, added(before, after, RETAINED_EVENTS))
        self.result.already_there = len(events) - len(self.followed.new)
        self.result.events = self.result.already_there
        return [events[position] for position in self.followed.new]

    def _fitting(self, events: Iterable[Event], limits: WireLimits) -> Iterator[Event]:
        """Events that fit a batch; one that does not is refused here, as the server would, and the
        rest goes on.
        """
        for event in events:
            is_large = event.data and len(encode_record(event)) > limits.max_event_bytes
            if is_large or len(event.subject) > _MAX_SUBJECT_CHARS:
                self.result.rejected["too_large"] += 1
            else:
                yield event


def _limits(call: Invocation) -> WireLimits:
    """Never above the defaults: batches are cut by these limits, and other cuts would be other
    batches.
    """
    section, usual = call.settings().settings.ingest, WireLimits()
    return WireLimits(
        min(section.max_batch_bytes, usual.max_batch_bytes),
        min(section.max_batch_events, usual.max_batch_events),
        min(section.max_event_bytes, usual.max_event_bytes),
    )


def _book(call: Invocation) -> AbstractContextManager[ImportLedger]:
    ledger = load_one("selflow.imports", "catalog", "import ledger")
    opened: AbstractContextManager[ImportLedger] = ledger.open(call)
    return opened


def _pieces(
    events: Iterator[Event], ends: Sequence[int]
) -> Iterator[list[Event] | Iterator[Event]]:
    """The events, cut after each of ``ends``; the last piece is what has been added since."""
    before = 0
    for end in ends:
        if piece := list(islice(events, end - before)):
            yield piece
        before = end
    yield events


def _paced(pieces: Iterable[Iterable[Event]], speed: float, clock: Clock) -> Iterator[list[Event]]:
    """What happened at one moment as one piece, each not before its time has come."""
    first_us: int | None = None
    began_s = clock.monotonic_s()
    for piece in pieces:
        for ts_us, moment in groupby(piece, key=lambda event: event.ts_us):
            first_us = ts_us if first_us is None else first_us
            due_s = began_s + (ts_us - first_us) / 1e6 / speed
            left_s = due_s - clock.monotonic_s()
            if left_s > 0:
                clock.sleep(left_s)
            yield list(moment)
