"""A store in a folder, with a filter as the console has one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from selflow.collect.activitywatch.exchange import ImportCount, Importer, export_text
from selflow.collect.activitywatch.group_commit import GroupCommit
from selflow.collect.activitywatch.ranges import TimeRange
from selflow.collect.activitywatch.reading import StoreReader
from selflow.collect.activitywatch.shapes import AwBucket, AwEvent, canonical
from selflow.collect.activitywatch.tables import open_reading
from selflow.collect.event_filter import EventFilter
from selflow.collect.normalise import Exclusions
from selflow.collect.redact import make_redactor
from selflow.core.settings import PrivacySettings
from selflow.testing import ManualClock

NOW_US = 1_767_225_600_000_000
WINDOW = AwBucket("aw-watcher-window_host", "currentwindow", "aw-watcher-window", "host", NOW_US)
EVERYTHING = TimeRange()


def event(at_s: float, lasts_s: float = 0, **data: Any) -> AwEvent:
    return AwEvent(NOW_US + round(at_s * 1e6), round(lasts_s * 1e6), canonical(data))


def make_filter(*apps: str) -> EventFilter:
    return EventFilter(
        make_redactor(PrivacySettings()), Exclusions((), apps, "/home/me"), "/home/me"
    )


@dataclass
class Store:
    folder: Path
    commit: GroupCommit
    reader: StoreReader

    @classmethod
    def make(cls, folder: Path, *buckets: AwBucket) -> "Store":
        commit = GroupCommit(folder, "device")
        store = cls(folder, commit, StoreReader(open_reading(folder)))
        for bucket in buckets:
            assert store.do(lambda writer, made=bucket: writer.create(made))
        return store

    def do(self, work: Any) -> Any:
        return self.commit.submit(work).result(timeout=10)

    def beat(self, beat: AwEvent, pulsetime_s: float = 5, bucket: AwBucket = WINDOW) -> AwEvent:
        done: AwEvent = self.do(
            lambda writer: writer.heartbeat(bucket.id, beat, round(pulsetime_s * 1e6), NOW_US)
        )
        return done

    def insert(self, events: Iterable[AwEvent], bucket: AwBucket = WINDOW) -> list[AwEvent]:
        stored: list[AwEvent] = self.do(
            lambda writer: writer.insert(bucket.id, list(events), NOW_US)
        )
        return stored

    def spans(self, limits: TimeRange = EVERYTHING) -> list[tuple[float, float, str]]:
        """(begin, duration, data) in seconds after ``NOW_US``, oldest first."""
        found = [*self.reader.events(WINDOW.id, limits)][::-1]
        return [((e.ts_us - NOW_US) / 1e6, e.duration_us / 1e6, e.data) for e in found]

    def export(self) -> str:
        return "".join(export_text(self.reader, self.reader.buckets()))

    def merge(self, text: str, filtering: EventFilter | None = None) -> ImportCount:
        count = ImportCount()
        importer = Importer(self.commit, filtering or make_filter(), ManualClock(NOW_US))
        importer.run(StringIO(text).read, count)
        return count


def reduced(beats: Sequence[AwEvent], pulsetime_us: int) -> list[tuple[int, int, str]]:
    """The heartbeat rule in plain words: a list of [begin, end, data], the last one is the tail."""
    rows: list[list[Any]] = []
    for beat in beats:
        if rows:
            begin, end, data = rows[-1]
            same = data == beat.data
            near = begin <= beat.ts_us <= end + pulsetime_us
            positive = end >= begin and beat.duration_us >= 0
            if same and near and positive:
                rows[-1][1] = max(end, beat.ts_us + beat.duration_us)
                continue
        rows.append([beat.ts_us, beat.ts_us + beat.duration_us, beat.data])
    return [(begin, end - begin, data) for begin, end, data in rows]
