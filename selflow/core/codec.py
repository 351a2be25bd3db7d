"""Events as bytes: the record the log stores, and the batch that comes over the wire.

A stored record is 8 bytes of big-endian ``ts_us`` followed by a msgpack array; the time can so be
read without decoding. A wire batch is one msgpack map with a schema; nothing else is accepted, and
pickle never.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import msgpack

from selflow.core.clock import parse_ts_us, rfc3339
from selflow.core.errors import Rejected, WireError
from selflow.core.events import Event, Json

RECORD_VERSION = 1
MAX_DEPTH = 6
MAX_KEYS = 64
_TS = struct.Struct(">Q")
_TEXT_LIMITS = {"source": 64, "kind": 64, "subject": 4096, "app": 256}
_FIELDS = frozenset({"ts", "source", "kind", "subject", "app", "duration_s", "data"})


@dataclass(frozen=True, slots=True)
class WireLimits:
    """What one batch may hold."""

    max_batch_bytes: int = 102_400
    max_batch_events: int = 500
    max_event_bytes: int = 16_384
    max_future_s: float = 300.0


@dataclass(frozen=True, slots=True)
class WireBatch:
    """A parsed batch: the events that follow the schema and the places of those that do not."""

    source: str
    batch_id: int
    events: tuple[Event, ...]
    rejected: tuple[Rejected, ...]


def encode_record(event: Event) -> bytes:
    """An event as the bytes that the log stores. Changing this changes every stored record."""
    body = msgpack.packb(
        [
            RECORD_VERSION,
            event.source,
            event.kind,
            event.subject,
            event.app,
            event.duration_s,
            dict(event.data),
        ],
    )
    return _TS.pack(event.ts_us) + cast("bytes", body)


def record_ts_us(record: bytes | memoryview) -> int:
    """The moment of a record, without decoding it."""
    return int(_TS.unpack_from(record)[0])


def decode_record(record: bytes | memoryview) -> Event:
    """The event in a record.

    Raises:
        WireError: ``bad_record`` if the bytes are not a record of this version.
    """
    try:
        ts_us = record_ts_us(record)
        version, source, kind, subject, app, duration_s, data = msgpack.unpackb(
            record[8:], strict_map_key=True
        )
    except (ValueError, TypeError, struct.error, msgpack.UnpackException) as error:
        raise WireError("bad_record", "the bytes are not an event record") from error
    if version != RECORD_VERSION:
        raise WireError(
            "bad_record", f"event record of version {version}; this program reads {RECORD_VERSION}"
        )
    return Event(ts_us, source, kind, subject, app, duration_s, data)


def event_to_json(event: Event) -> dict[str, Json]:
    """An event in the shape of the API (docs/ingest.md#an-event)."""
    return {
        "ts": rfc3339(event.ts_us),
        "source": event.source,
        "kind": event.kind,
        "subject": event.subject,
        "app": event.app,
        "duration_s": event.duration_s,
        "data": dict(event.data),
    }


def event_from_json(raw: object, now_us: int, limits: WireLimits, source: str = "") -> Event:
    """One event from outside, checked against the schema.

    Args:
        raw: A mapping with ``ts``, ``kind`` and, unless ``source`` is given, ``source``.
        now_us: The receiver's clock; an event more than ``limits.max_future_s`` ahead is refused.
        limits: Sizes and the allowed clock difference.
        source: The default source, from the batch.

    Raises:
        WireError: ``bad_event``, ``unknown_field``, ``bad_ts``, ``in_future`` or ``too_large``; the
        message
            names the field and never its value.
    """
    if not isinstance(raw, Mapping):
        raise WireError("bad_event", "an event must be a map")
    unknown = [key for key in raw if key not in _FIELDS]
    if unknown:
        raise WireError(
            "unknown_field",
            f"unknown field {str(unknown[0])[:40]!r}; known: {', '.join(sorted(_FIELDS))}",
        )
    texts = {
        name: _text(raw, name, limit, source if name == "source" else "")
        for name, limit in _TEXT_LIMITS.items()
    }
    if not texts["source"] or not texts["kind"]:
        raise WireError("bad_event", "source and kind must not be empty")
    event = Event(
        ts_us=_moment(raw, now_us, limits),
        duration_s=_duration(raw),
        data=_data(raw.get("data")),
        **texts,
    )
    try:
        size_bytes = len(encode_record(event))
    except UnicodeEncodeError as error:
        raise WireError(
            "bad_event", "texts must be valid Unicode, without lone surrogates"
        ) from error
    if size_bytes > limits.max_event_bytes:
        raise WireError(
            "too_large", f"event of {size_bytes:,} bytes; the limit is {limits.max_event_bytes:,}"
        )
    return event


def encode_batch(source: str, batch_id: int, events: Sequence[Event]) -> bytes:
    """A batch as a client sends it."""
    wire = {
        "source": source,
        "batch_id": batch_id,
        "events": [event_to_json(event) for event in events],
    }
    return cast("bytes", msgpack.packb(wire))


def decode_batch(payload: bytes, now_us: int, limits: WireLimits) -> WireBatch:
    """A batch from outside. Events that break the schema are rejected one by one; the rest stands.

    Raises:
        WireError: ``too_large`` or ``bad_batch`` if the batch as a whole cannot be read.
    """
    if len(payload) > limits.max_batch_bytes:
        raise WireError(
            "too_large", f"batch of {len(payload):,} bytes; the limit is {limits.max_batch_bytes:,}"
        )
    try:
        raw = msgpack.unpackb(payload, strict_map_key=True)
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as error:
        raise WireError("bad_batch", "the batch is not valid msgpack") from error
    source, batch_id, listed = _batch_parts(raw, limits)
    events: list[Event] = []
    rejected: list[Rejected] = []
    for index, item in enumerate(listed):
        try:
            events.append(event_from_json(item, now_us, limits, source))
        except WireError as error:
            rejected.append(Rejected(index, error.code))
    return WireBatch(source, batch_id, tuple(events), tuple(rejected))


def _batch_parts(raw: object, limits: WireLimits) -> tuple[str, int, list[object]]:
    if not isinstance(raw, dict) or set(raw) != {"source", "batch_id", "events"}:
        raise WireError(
            "bad_batch", "a batch must be a map with exactly source, batch_id and events"
        )
    source, batch_id, listed = raw["source"], raw["batch_id"], raw["events"]
    if not isinstance(source, str) or not 0 < len(source) <= _TEXT_LIMITS["source"]:
        raise WireError("bad_batch", "source must be a text of 1 to 64 characters")
    if isinstance(batch_id, bool) or not isinstance(batch_id, int) or not 0 <= batch_id < 1 << 64:
        raise WireError("bad_batch", "batch_id must be an unsigned 64-bit integer")
    if not isinstance(listed, list):
        raise WireError("bad_batch", "events must be a list")
    if len(listed) > limits.max_batch_events:
        raise WireError(
            "too_large",
            f"batch of {len(listed):,} events; the limit is {limits.max_batch_events:,}",
        )
    return source, batch_id, listed


def _text(raw: Mapping[object, object], name: str, limit: int, default: str) -> str:
    value = raw.get(name)
    value = default if value is None else value
    if not isinstance(value, str):
        raise WireError("bad_event", f"{name} must be a text")
    if len(value) > limit:
        raise WireError("too_large", f"{name} of {len(value):,} characters; the limit is {limit:,}")
    return value


def _moment(raw: Mapping[object, object], now_us: int, limits: WireLimits) -> int:
    try:
        ts_us = parse_ts_us(raw.get("ts"))
    except ValueError as error:
        raise WireError("bad_ts", "ts must be RFC 3339 text or seconds since 1970") from error
    ahead_s = (ts_us - now_us) / 1e6
    if ahead_s > limits.max_future_s:
        raise WireError(
            "in_future", f"ts is {ahead_s:,.0f} s ahead; the limit is {limits.max_future_s:,.0f} s"
        )
    return ts_us


def _duration(raw: Mapping[object, object]) -> float:
    value = raw.get("duration_s")
    value = 0.0 if value is None else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise WireError("bad_event", "duration_s must be a number of seconds, 0 or more")
    return float(value)


def _data(value: object) -> dict[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise WireError("bad_event", "data must be a map")
    _check_json(value, 0)
    return cast("dict[str, Json]", value)


def _check_json(value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise WireError("bad_event", f"data is nested more than {MAX_DEPTH} deep")
    if isinstance(value, dict):
        if len(value) > MAX_KEYS or not all(isinstance(key, str) for key in value):
            raise WireError("bad_event", f"data must hold at most {MAX_KEYS} keys, all texts")
        for item in value.values():
            _check_json(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check_json(item, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise WireError("bad_event", "data must hold finite numbers only")
    elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        raise WireError("bad_event", "data must hold integers of at most 64 bits")
    elif not isinstance(value, str | int | float | bool | None):
        raise WireError("bad_event", "data must hold JSON values only")
