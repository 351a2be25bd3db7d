"""Events and buckets as ActivityWatch's clients know them, and how they are read from JSON.

Outside, moments are ISO 8601 and durations seconds; here both are microseconds.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from selflow.core.clock import as_datetime, parse_ts_us
from selflow.core.errors import ApiError
from selflow.core.events import Json

MAX_SECONDS = 1e9
_LOST_PLUS = re.compile(r" (\d\d:?\d\d)$")
"""A form decodes the ``+`` of an offset as a space."""
_MAX_NAME_CHARS = 256


@dataclass(frozen=True, slots=True)
class AwEvent:
    """One event of a bucket. ``data`` is canonical JSON text: equal data have equal texts."""

    ts_us: int
    duration_us: int
    data: str
    id: int | None = None

    @property
    def end_us(self) -> int:
        """The moment at which it ends."""
        return self.ts_us + self.duration_us

    def document(self) -> dict[str, Json]:
        """As clients read it."""
        return {
            "id": self.id,
            "timestamp": moment_text(self.ts_us),
            "duration": self.duration_us / 1e6,
            "data": json.loads(self.data),
        }

    def text(self) -> str:
        """The document as JSON text; ``data`` is text already. Cost: 2 us."""
        return (
            f'{{"id":{"null" if self.id is None else self.id},'
            f'"timestamp":"{moment_text(self.ts_us)}",'
            f'"duration":{self.duration_us / 1e6!r},"data":{self.data}}}'
        )


@dataclass(frozen=True, slots=True)
class AwBucket:
    """Where the events of one watcher on one machine lie."""

    id: str
    type: str
    client: str
    hostname: str
    created_us: int
    name: str | None = None
    data: Mapping[str, Json] = field(default_factory=dict)


def bad_request(message: str, kind: str = "") -> ApiError:
    """400 with ActivityWatch's envelope; the message never quotes a value."""
    return ApiError(400, kind, message)


def no_such_bucket(bucket_id: str) -> ApiError:
    """404 in the words of ActivityWatch's own server."""
    return ApiError(404, "NoSuchBucket", f"There's no bucket named {bucket_id}")


def moment_text(ts_us: int) -> str:
    """``2016-04-27T15:23:55.123000+00:00``."""
    return as_datetime(ts_us).isoformat(timespec="microseconds")


def parse_moment(value: object, name: str = "timestamp") -> int:
    """ISO 8601 text as UTC microseconds; without a zone it is UTC.

    Raises:
        ApiError: 400; it is no date, or before 1970.
    """
    try:
        if isinstance(value, str):
            return parse_ts_us(_LOST_PLUS.sub(r"+\1", value.strip()))
    except (ValueError, OverflowError) as error:
        raise bad_request(f"{name} is not an ISO 8601 date") from error
    raise bad_request(f"{name} must be an ISO 8601 date")


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401  (any JSON)
    """JSON without NaN and infinity.

    Raises:
        ApiError: 400; it is not JSON.
    """
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise bad_request("the body is not valid JSON") from error


def parse_event(raw: object) -> AwEvent:
    """One event from outside.

    Raises:
        ApiError: 400, naming the field and never its value.
    """
    if not isinstance(raw, Mapping):
        raise bad_request("an event must be an object")
    if "timestamp" not in raw:
        raise bad_request("an event needs a timestamp")
    data, event_id = raw.get("data"), raw.get("id")
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        raise bad_request("data must be an object")
    is_number = isinstance(event_id, int) and not isinstance(event_id, bool)
    if event_id is not None and not (is_number and 0 <= event_id < 1 << 63):
        raise bad_request("id must be an integer or null")
    duration_us = seconds_us(raw.get("duration") or 0, "duration")
    return AwEvent(parse_moment(raw["timestamp"]), duration_us, canonical(data), event_id)


def parse_bucket(bucket_id: str, raw: object, now_us: int) -> AwBucket:
    """A bucket as a client creates it or an export holds it.

    Raises:
        ApiError: 400; a field is missing or of another type.
    """
    if not isinstance(raw, Mapping):
        raise bad_request("a bucket must be an object")
    texts = {name: _name(raw, name) for name in ("type", "client", "hostname")}
    data, name = raw.get("data") or {}, raw.get("name")
    if not isinstance(data, Mapping) or not isinstance(name, str | None):
        raise bad_request("data must be an object and name a text")
    created = raw.get("created")
    created_us = now_us if created is None else parse_moment(created, "created")
    return AwBucket(bucket_id, created_us=created_us, name=name, data=dict(data), **texts)


def canonical(data: object) -> str:
    """JSON text with sorted keys; ASCII, so that every text of a client can be kept."""
    try:
        return json.dumps(data, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError) as error:
        raise bad_request("data is nested too deep") from error


def seconds_us(value: object, name: str) -> int:
    """Seconds from outside as microseconds.

    Raises:
        ApiError: 400; it is no finite number of at most ``MAX_SECONDS``.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        seconds = float(value)
        if abs(seconds) <= MAX_SECONDS:
            return round(seconds * 1_000_000)
    raise bad_request(f"{name} must be a number of seconds")


def _name(raw: Mapping[Any, Any], key: str) -> str:
    value = raw.get(key)
    if not isinstance(value, str) or len(value) > _MAX_NAME_CHARS:
        raise bad_request(f"{key} is required: a text of at most {_MAX_NAME_CHARS} characters")
    return value


def _no_number(_: str) -> NoReturn:
    raise ValueError("NaN and infinity are not JSON")
