"""Exports in and out: what comes in is merged and nothing is doubled; what goes out comes in again
as it was.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from selflow.collect.activitywatch.group_commit import GroupCommit
from selflow.collect.activitywatch.log_events import filtered
from selflow.collect.activitywatch.ranges import TimeRange
from selflow.collect.activitywatch.reading import StoreReader
from selflow.collect.activitywatch.shapes import (
    AwBucket,
    AwEvent,
    moment_text,
    parse_bucket,
    parse_event,
)
from selflow.collect.activitywatch.stream import RawBucket, read_export
from selflow.collect.event_filter import EventFilter
from selflow.core.clock import Clock
from selflow.core.events import Json

_TOGETHER = 2_000
GROWING_US = 180_000_000
"""An event of another server that was not lengthened for this time is finished; that server is
asked once a minute.
"""
_EVERYTHING = TimeRange()


@dataclass(slots=True)
class ImportCount:
    """What became of an export's events."""

    buckets: int = 0
    events: int = 0
    stored: int = 0
    dropped: int = 0
    """By privacy rules."""

    @property
    def already_there(self) -> int:
        """Those that were not stored a second time."""
        return self.events - self.stored - self.dropped


class Importer:
    """Merges exports into the store. A bucket that is there keeps its description.

    Args:
        commit: Writes; other changes go in between.
        event_filter: Drops and redacts before anything is stored.
        clock: Dates buckets that bring no date.
        is_live: What comes in may still grow at the server that it comes from.
    """

    def __init__(
        self,
        commit: GroupCommit,
        event_filter: EventFilter,
        clock: Clock,
        *,
        is_live: bool = False,
    ) -> None:
        self._is_live = is_live
        self._commit = commit
        self._filter = event_filter
        self._clock = clock

    def run(self, read: Callable[[int], str], count: ImportCount) -> None:
        """Read an export to its end; ``count`` tells how far it is. What was merged before a
        refusal stays, and comes in again without being doubled.

        Raises:
            ApiError: 400; it is no export. StoreError: The store refuses.
        """
        current: RawBucket | None = None
        bucket = AwBucket("", "", "", "", 0)
        events: list[AwEvent] = []
        for raw, item in read_export(read):
            if raw is not current:
                current, bucket = raw, self._bucket(raw, is_complete=item is None)
                count.buckets += 1
            if item is not None:
                self._take(bucket, item, events, count)
            elif events or item is None:
                self._store(bucket, events, count)
                self._describe(raw)
            if len(events) >= _TOGETHER:
                self._store(bucket, events, count)

    def _bucket(self, raw: RawBucket, *, is_complete: bool) -> AwBucket:
        """The bucket, made if it is not there. Events may stand before the description is
        complete.
        """
        empty = {} if is_complete else {"type": "", "client": "", "hostname": ""}
        bucket = parse_bucket(raw.id, {**empty, **_described(raw)}, self._clock.now_us())
        self._commit.submit(lambda writer: writer.create(bucket)).result()
        return bucket

    def _describe(self, raw: RawBucket) -> None:
        """Complete the description of a bucket whose events stood before it."""
        bucket = parse_bucket(raw.id, _described(raw), self._clock.now_us())

        def complete(writer: Any) -> None:  # noqa: ANN401  (the writer's)
            known = StoreReader(writer.connection).bucket(bucket.id)
            if not known.type and not known.client:
                writer.change(replace(bucket, created_us=known.created_us))

        self._commit.submit(complete).result()

    def _take(
        self, bucket: AwBucket, item: object, events: list[AwEvent], count: ImportCount
    ) -> None:
        count.events += 1
        event = filtered(self._filter, bucket, replace(parse_event(item), id=None))
        if event is None:
            count.dropped += 1
        else:
            events.append(event)

    def _store(self, bucket: AwBucket, events: list[AwEvent], count: ImportCount) -> None:
        batch = tuple(events)
        events.clear()
        live_us = self._clock.now_us() + GROWING_US if self._is_live else None
        stored = self._commit.submit(lambda writer: writer.merge_import(bucket.id, batch, live_us))
        count.stored += max(0, stored.result())


def bucket_document(reader: StoreReader, bucket: AwBucket) -> dict[str, Json]:
    """A bucket as clients read it."""
    span = reader.span(bucket.id)
    start, end = (None, None) if span is None else map(moment_text, span)
    known: dict[str, Json] = {
        "id": bucket.id,
        "created": moment_text(bucket.created_us),
        "name": bucket.name,
        "type": bucket.type,
        "client": bucket.client,
        "hostname": bucket.hostname,
        "data": dict(bucket.data),
        "metadata": {"start": start, "end": end},
    }
    return known if end is None else known | {"last_updated": end}


def export_text(reader: StoreReader, buckets: list[AwBucket]) -> Iterator[str]:
    """An export in pieces, without ids, as the Python server makes it."""
    yield '{"buckets":{'
    for number, bucket in enumerate(buckets):
        opening = json.dumps(bucket_document(reader, bucket))[:-1]
        yield f'{"," if number else ""}{json.dumps(bucket.id)}:{opening},"events":['
        yield from events_text(reader.events(bucket.id, _EVERYTHING), has_ids=False)
        yield "]}"
    yield "}}"


def events_text(events: Iterator[AwEvent], *, has_ids: bool) -> Iterator[str]:
    """The items of a list of events, in pieces of some hundred."""
    texts: list[str] = []
    separator = ""
    for event in events:
        text = event.text()
        texts.append(text if has_ids else "{" + text.partition(",")[2])
        if len(texts) >= _TOGETHER:
            yield separator + ",".join(texts)
            separator = ","
            texts.clear()
    if texts:
        yield separator + ",".join(texts)


def _described(raw: RawBucket) -> dict[str, Json]:
    return {name: value for name, value in raw.fields.items() if value is not None}
