"""Public fakes of the ports: a clock that is moved by hand, and an event log without a disk."""

from collections.abc import Sequence
from threading import Event as Flag
from threading import Lock

from selflow.core.codec import decode_record
from selflow.core.errors import ShapeError
from selflow.core.events import Credits, Fill, Stored


class ManualClock:
    """A clock that moves only when told; a wait passes at once and moves it by the whole
    timeout.
    """

    def __init__(self, now_us: int = 1_767_225_600_000_000) -> None:
        self._now_us = now_us
        self._started_us = now_us

    def now_us(self) -> int:
        """UTC microseconds since 1970; 2026 begins, unless another start was given."""
        return self._now_us

    def monotonic_s(self) -> float:
        """Seconds since the start."""
        return (self._now_us - self._started_us) / 1e6

    def wait(self, flag: Flag, timeout_s: float) -> bool:
        """True if the flag is set; otherwise the timeout passes."""
        if not flag.is_set():
            self.advance(timeout_s)
        return flag.is_set()

    def sleep(self, duration_s: float) -> None:
        """The time passes at once."""
        self.advance(duration_s)

    def advance(self, duration_s: float) -> None:
        """Let time pass."""
        self._now_us += round(duration_s * 1e6)


class MemoryLog:
    """The event log without a disk; it answers as ``selflow.store.log.EventLog`` does."""

    def __init__(
        self,
        budget_bytes: int = 64_000_000,
        credits: int = 8,  # noqa: A002  (the wire's word)
    ) -> None:
        self._budget_bytes = budget_bytes
        self._credits = credits
        self._records: list[bytes] = []
        self._batches: dict[tuple[str, int], tuple[int, int]] = {}
        self._lock = Lock()

    def append(self, source: str, batch_id: int, records: Sequence[bytes]) -> Credits:
        """Keep a batch; a repeated one is answered with the numbers of the first time."""
        if any(len(record) <= 8 for record in records):
            raise ShapeError("a record has more than 8 bytes")
        with self._lock:
            is_repeat = (source, batch_id) in self._batches
            if not is_repeat:
                before = len(self._records)
                self._records.extend(records)
                numbers = (before + 1, len(self._records)) if records else (0, 0)
                self._batches[source, batch_id] = numbers
            first_seq, last_seq = self._batches[source, batch_id]
            return Credits(first_seq, last_seq, is_repeat, self._credits)

    def read(self, after_seq: int, limit_events: int) -> list[Stored]:
        """At most ``limit_events`` events after ``after_seq``, in order."""
        with self._lock:
            chosen = self._records[max(0, after_seq) :][: max(0, limit_events)]
        return [
            Stored(seq, decode_record(record))
            for seq, record in enumerate(chosen, max(0, after_seq) + 1)
        ]

    def fill(self) -> Fill:
        """How full it is; nothing was ever consumed."""
        with self._lock:
            count = len(self._records)
            return Fill(count, sum(map(len, self._records)), count, self._budget_bytes, count)
