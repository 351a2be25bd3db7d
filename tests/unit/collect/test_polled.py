"""A source that looks again and again keeps to its schedule, and tells what went wrong."""

from collections.abc import Iterator
from threading import Event as Flag

from selflow.collect.polled import PolledSource
from selflow.collect.sources import Emit
from selflow.core.source_settings import PolledSection
from selflow.testing import ManualClock, Recorder

MINUTE_US = 60_000_000


class Diary:
    """Writes down when it looked."""

    def __init__(self, *outcomes: int | str) -> None:
        self.looks: list[int] = []
        self.is_full = Flag()
        self._outcomes = outcomes

    def read(self, emit: Emit, now_us: int, *, is_last: bool) -> Iterator[int | str]:
        if len(self.looks) < 3:
            self.looks.append(now_us)
        else:
            self.is_full.set()
        yield from self._outcomes


def _looks(schedule: PolledSection) -> list[int]:
    diary, clock = Diary(), ManualClock()
    started_us = clock.now_us()
    source = PolledSource("diary", diary, schedule, clock)
    source.start(Recorder())
    assert diary.is_full.wait(10)
    source.stop()
    return [(look - started_us) // MINUTE_US for look in diary.looks]


def test_a_source_looks_at_every_interval() -> None:
    assert _looks(PolledSection(sample_interval_s=120)) == [2, 4, 6]


def test_a_source_looks_at_the_times_of_its_schedule() -> None:
    assert _looks(PolledSection(sample_interval_s=1, schedule="*/5 * * * *")) == [5, 10, 15]


def test_problems_and_counts_are_those_of_the_looks() -> None:
    source = PolledSource("diary", Diary(2, "a: broken"), PolledSection(), ManualClock())
    source.start(Recorder())
    source.stop()

    assert source.health().events >= 2
    assert source.health().problems == ("a: broken",)
