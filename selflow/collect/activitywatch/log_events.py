"""ActivityWatch's events as events of the log, and the privacy rules before either is stored."""

import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import cast

from selflow.collect.activitywatch.shapes import AwBucket, AwEvent, bad_request, canonical
from selflow.collect.event_filter import EventFilter
from selflow.core.codec import decode_record
from selflow.core.events import Event, Json

SOURCE_PREFIX = "aw:"
_MAX_SOURCE_CHARS, _MAX_KIND_CHARS, _MAX_APP_CHARS, _MAX_SUBJECT_CHARS = 64, 64, 256, 4_096
_SUBJECTS = {
    "currentwindow": "app",
    "afkstatus": "status",
    "web.tab.current": "url",
    "app.editor.activity": "file",
}
"""Which entry of ``data`` says what the event is about, by the bucket's type."""


def source_of(bucket_id: str) -> str:
    """The source under which the log has a bucket's events; at most 64 characters."""
    name = SOURCE_PREFIX + bucket_id
    if len(name) <= _MAX_SOURCE_CHARS:
        return name
    digest = blake2b(bucket_id.encode("utf-8", "replace"), digest_size=8).hexdigest()
    return f"{name[: _MAX_SOURCE_CHARS - len(digest) - 1]}~{digest}"


def as_log_event(bucket: AwBucket, event: AwEvent) -> Event:
    """The event as the log has it: kind is the bucket's type, ``data`` stays whole."""
    data: Mapping[str, Json] = json.loads(event.data)
    app = data.get("app")
    subject = data.get(_SUBJECTS.get(bucket.type, ""))
    return Event(
        ts_us=event.ts_us,
        source=source_of(bucket.id),
        kind=(bucket.type or "event")[:_MAX_KIND_CHARS],
        subject=subject[:_MAX_SUBJECT_CHARS] if isinstance(subject, str) else "",
        app=app[:_MAX_APP_CHARS] if isinstance(app, str) else "",
        duration_s=max(0.0, event.duration_us / 1e6),
        data=data,
    )


def filtered(event_filter: EventFilter, bucket: AwBucket, event: AwEvent) -> AwEvent | None:
    """The event as it may be stored: without secrets. None: an exclusion, a pause or a private
    window forbids it.

    Raises:
        ApiError: 400; a number of more than 64 bits, or a text that is not Unicode.
    """
    log_event = as_log_event(bucket, event)
    if log_event.data.get("incognito") is True:
        return None
    try:
        records = event_filter.apply([log_event]).records
    except (OverflowError, ValueError) as error:
        raise bad_request("data must hold integers of at most 64 bits, and Unicode") from error
    if not records:
        return None
    return replace(event, data=canonical(cast("Json", decode_record(records[0]).data)))
