"""A log from which events can be deleted, and answers from it."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from selflow.core.codec import decode_record, encode_record
from selflow.core.events import Event, Fill, Stored
from selflow.search.asking import Request, SearchPlace, ask
from selflow.search.records import Answer
from selflow.testing import ManualClock
from tests.unit.search.scan import NOW, ZONE


class ShrinkingLog:
    """An event feed whose owner deletes; numbers stay for life."""

    def __init__(self) -> None:
        self._records: dict[int, bytes] = {}
        self._last_seq = 0
        self.reads: list[int] = []

    def add(self, events: Iterable[Event]) -> None:
        for event in events:
            self._last_seq += 1
            self._records[self._last_seq] = encode_record(event)

    def delete(self, *seqs: int) -> None:
        for seq in seqs:
            del self._records[seq]

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        self.reads.append(limit_events)
        seqs = [seq for seq in sorted(self._records) if seq > after_seq][:limit_events]
        return [Stored(seq, decode_record(self._records[seq])) for seq in seqs]

    def fill(self) -> Fill:
        return Fill(
            events=len(self._records),
            size_bytes=0,
            last_seq=self._last_seq,
            budget_bytes=0,
            new_events=0,
        )


@pytest.fixture
def log() -> ShrinkingLog:
    return ShrinkingLog()


@pytest.fixture
def where(log: ShrinkingLog, tmp_path: Path) -> SearchPlace:
    clock = ManualClock(round(NOW.timestamp() * 1e6))
    return SearchPlace(tmp_path / "derived", log, clock, ZONE)


@pytest.fixture
def asked(where: SearchPlace) -> Callable[[str], Answer]:
    return lambda text: ask(Request(text), where)
