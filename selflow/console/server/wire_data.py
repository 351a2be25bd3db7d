"""The API's records of events and their sources."""

from typing import Literal

from pydantic import JsonValue

from selflow.sdk.wire import Answer


class EventItem(Answer):
    """A stored event: redacted, as it was stored."""

    seq: int
    ts: str
    source: str
    kind: str
    subject: str
    app: str
    duration_s: float
    data: dict[str, JsonValue]


class ConsentItem(Answer):
    """The owner's word on one kind of source; it stands while ``revoked_at`` is None."""

    kind: str
    is_allowed: bool
    granted_at: str
    revoked_at: str | None
    folders: list[str]


class StreamItem(Answer):
    """What came under the name of one source."""

    source: str
    events: int
    last_at: str


class SourcesAnswer(Answer):
    """``GET /api/sources``. ``streams`` are computed a little behind the log."""

    consents: list[ConsentItem]
    streams: list[StreamItem]
    collector: str
    """The state of the collector, ``not running`` if there is none."""


class ActivityItem(Answer):
    """Events of one group (a source, a kind or a program) in one bin of time."""

    start_at: str
    group: str
    events: int
    duration_s: float


class ActivityAnswer(Answer):
    """``GET /api/activity``: bins of UTC hours or days, oldest first."""

    bin: Literal["hour", "day"]
    by: Literal["source", "kind", "app"]
    items: list[ActivityItem]


class FolderItem(Answer):
    """What happened to files in a folder and below it; ``events_before`` in the time of the same
    length before.
    """

    folder: str
    files: int
    events: int
    last_at: str
    events_before: int


class FoldersAnswer(Answer):
    """``GET /api/activity/folders``: the busiest first; ``more`` folders are not listed."""

    within: str | None
    items: list[FolderItem]
    more: int


class RejectedItem(Answer):
    """An event that was not taken: its place in the request, and why."""

    index: int
    code: str


class AcceptedAnswer(Answer):
    """``POST /api/events``, once everything is durable: events stored, dropped by privacy rules,
    and rejected.
    """

    accepted: int
    dropped: int
    rejected: list[RejectedItem]
