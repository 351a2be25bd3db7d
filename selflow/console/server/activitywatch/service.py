"""The store behind the port: opened once, filtered on the way in, durable before it is answered."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from selflow.collect.activitywatch.group_commit import GroupCommit
from selflow.collect.activitywatch.handing import Handing
from selflow.collect.activitywatch.log_events import filtered
from selflow.collect.activitywatch.reading import StoreReader
from selflow.collect.activitywatch.shapes import AwBucket, AwEvent
from selflow.collect.activitywatch.tables import open_reading
from selflow.collect.activitywatch.writing import StoreWriter
from selflow.collect.event_filter import EventFilter
from selflow.collect.normalise import Exclusions
from selflow.collect.redact import make_redactor
from selflow.console.server.read_model import ReadModel
from selflow.core.errors import ApiError, StoreError
from selflow.core.ids import new_id
from selflow.core.privacy_rules import PrivacyRules, added_rules
from selflow.core.selection import EventSelection
from selflow.store.forget_preview import forget_command
from selflow.store.pauses import PauseWatch
from selflow.store.row_writer import writing

T = TypeVar("T")
WRITE_LIMIT_S = 10.0
_MAX_REMEMBERED = 2_048
_RULES_S = 1.0


class AwService:
    """Reads, writes and filters. Used by the event loop; work on the disk runs in threads."""

    def __init__(self, model: ReadModel) -> None:
        """Open the store, or make it.

        Raises:
            StoreError: It cannot be used. ConfigError: A privacy rule is not valid.
        """
        self.model = model
        self.folder: Path = model.root.aw
        self.commit = GroupCommit(self.folder, str(uuid4()))
        self.handing = Handing(self.commit)
        self._pauses = PauseWatch(model.location, model.clock)
        self._added: PrivacyRules | None = None
        self._rules_at_s = float("-inf")
        self._buckets: dict[str, AwBucket] = {}
        self._filtered: dict[tuple[str, str], str | None] = {}
        self.event_filter = self._make_filter()

    async def read(self, work: Callable[[StoreReader], T]) -> T:
        """What ``work`` finds, in a thread, by a connection of its own."""
        return await asyncio.to_thread(self._read, work)

    async def write(self, work: Callable[[StoreWriter], T]) -> T:
        """The result of a change, once it is durable.

        Raises:
            ApiError: 503; ten seconds were not enough. StoreError: The disk refuses.
        """
        future = asyncio.wrap_future(self.commit.submit(work))
        try:
            return await asyncio.wait_for(asyncio.shield(future), WRITE_LIMIT_S)
        except TimeoutError as error:
            raise ApiError(503, "", "Server busy, try again later") from error
        except StoreError as error:
            raise ApiError(503, "", str(error)) from error

    async def bucket(self, bucket_id: str) -> AwBucket:
        """A bucket, remembered.

        Raises:
            ApiError: 404; there is none of this name.
        """
        known = self._buckets.get(bucket_id)
        if known is None:
            known = await self.read(lambda reader: reader.bucket(bucket_id))
            self._buckets[bucket_id] = known
        return known

    def forget_bucket(self, bucket_id: str) -> None:
        """It was changed or deleted."""
        self._buckets.pop(bucket_id, None)
        self._filtered.clear()

    def forget_buckets(self) -> None:
        """Some may have been made or described."""
        self._buckets.clear()

    def allowed(self, bucket: AwBucket, event: AwEvent) -> AwEvent | None:
        """The event as it may be stored; None: a privacy rule, a pause or a private window drops
        it. Equal data of a bucket are filtered once.
        """
        self._follow_rules()
        if self._pauses.covers(event.ts_us):
            return None
        key = (bucket.id, event.data)
        if key not in self._filtered:
            if len(self._filtered) >= _MAX_REMEMBERED:
                self._filtered.clear()
            retained = filtered(self.event_filter, bucket, event)
            self._filtered[key] = None if retained is None else retained.data
        data = self._filtered[key]
        return None if data is None else replace(event, data=data)

    def forget_in_log(self, selection: EventSelection, events: int, actor: str) -> str:
        """Queue the deletion of what the log made of deleted events; the command's id.

        Raises:
            StoreError: The catalog refuses it.
        """
        now_us = self.model.clock.now_us()
        command = forget_command(new_id("cmd"), selection, events, actor, now_us)
        with writing(self.model.location) as rows:
            rows.insert(command)
            rows.audit(now_us, actor, f"command.{command.action}", command.subject, {})
        return command.id

    def pieces(self, work: Callable[[StoreReader], Iterator[str]]) -> Iterator[str]:
        """Text that is made while it is sent, from one state of the store."""
        with closing(open_reading(self.folder)) as connection:
            connection.execute("BEGIN")
            yield from work(StoreReader(connection))

    def close(self) -> None:
        """Finish what is under way, and close."""
        self.commit.close()

    def _read(self, work: Callable[[StoreReader], T]) -> T:
        with closing(open_reading(self.folder)) as connection:
            return work(StoreReader(connection))

    def _follow_rules(self) -> None:
        """The rules that the owner has added hold within a second."""
        now_s = self.model.clock.monotonic_s()
        if now_s - self._rules_at_s >= _RULES_S:
            self._rules_at_s = now_s
            if added_rules(self.model.root) != self._added:
                self.event_filter = self._make_filter()
                self._filtered.clear()

    def _make_filter(self) -> EventFilter:
        privacy, home = self.model.settings().privacy, str(Path.home())
        self._added = added = added_rules(self.model.root)
        exclusions = Exclusions(
            (*privacy.exclude_paths, *added.paths), (*privacy.exclude_apps, *added.apps), home
        )
        return EventFilter(make_redactor(privacy), exclusions, home, self._pauses.covers)
