"""The codec: what goes in comes out, and what breaks the schema is named and loses nothing else."""

from contextlib import suppress

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selflow.core.codec import (
    MAX_DEPTH,
    MAX_KEYS,
    WireLimits,
    decode_batch,
    decode_record,
    encode_batch,
    encode_record,
    event_from_json,
    event_to_json,
    record_ts_us,
)
from selflow.core.errors import WireError
from selflow.core.events import Event, Json

NOW_US = 1_767_225_600_000_000
LIMITS = WireLimits()

TEXTS = st.text(max_size=12)
NAMES = st.text(min_size=1, max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False)
    | TEXTS
)
FINITE = SCALARS.filter(lambda value: value not in {float("inf"), float("-inf")})
VALUES = st.recursive(
    FINITE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3)
)
SHALLOW = st.dictionaries(TEXTS, FINITE | st.lists(FINITE, max_size=3), max_size=4)
EVENTS = st.builds(
    Event,
    ts_us=st.integers(0, NOW_US),
    source=NAMES,
    kind=NAMES,
    subject=TEXTS,
    app=TEXTS,
    duration_s=st.floats(0, 1e6),
    data=SHALLOW,
)


def raw(**changes: object) -> dict[str, object]:
    """An event as a client may send it."""
    return {"ts": "2025-12-31T23:59:00Z", "source": "test", "kind": "note", **changes}


def batch(*events: object, **changes: object) -> bytes:
    """A batch as bytes."""
    return bytes(
        msgpack.packb({"source": "test", "batch_id": 1, "events": list(events), **changes})
    )


def nested(depth: int) -> dict[str, Json]:
    """Maps inside maps."""
    return {} if depth == 0 else {"in": nested(depth - 1)}


@given(EVENTS)
def test_a_stored_record_gives_the_event_back(event: Event) -> None:
    record = encode_record(event)

    assert decode_record(record) == event
    assert decode_record(memoryview(record)) == event
    assert record_ts_us(record) == event.ts_us


@given(st.lists(EVENTS, max_size=5), st.integers(0, (1 << 64) - 1))
def test_a_batch_gives_its_events_back(events: list[Event], batch_id: int) -> None:
    received = decode_batch(encode_batch("test", batch_id, events), NOW_US, LIMITS)

    assert received.events == tuple(events)
    assert (received.source, received.batch_id, received.rejected) == ("test", batch_id, ())


@given(EVENTS)
def test_json_gives_the_event_back(event: Event) -> None:
    assert event_from_json(event_to_json(event), NOW_US, LIMITS) == event


@given(EVENTS, EVENTS)
def test_records_sort_by_time(one: Event, other: Event) -> None:
    earlier, later = sorted((one, other), key=lambda event: event.ts_us)

    assert encode_record(earlier)[:8] <= encode_record(later)[:8]


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_as_a_batch(payload: bytes) -> None:
    with pytest.raises(WireError):
        decode_batch(payload, NOW_US, LIMITS)


@given(st.binary(max_size=200))
def test_random_bytes_are_refused_as_a_record(record: bytes) -> None:
    with pytest.raises(WireError, match="not an event record"):
        decode_record(record)


@given(st.lists(EVENTS, min_size=1, max_size=3), st.data())
def test_a_damaged_batch_raises_nothing_but_our_error(
    events: list[Event], data: st.DataObject
) -> None:
    payload = bytearray(encode_batch("test", 1, events))
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    with suppress(WireError):
        received = decode_batch(bytes(payload), NOW_US, LIMITS)

        assert all(event.source and event.kind for event in received.events)


@given(
    st.dictionaries(
        st.sampled_from(["ts", "source", "kind", "subject", "duration_s", "data"]) | TEXTS, VALUES
    )
)
def test_any_map_from_outside_is_an_event_or_our_error(value: dict[str, Json]) -> None:
    with suppress(WireError):
        event = event_from_json(value, NOW_US, LIMITS)

        assert event_from_json(event_to_json(event), NOW_US, LIMITS) == event


BAD_EVENTS: list[tuple[object, str, str]] = [
    ("text", "bad_event", "an event must be a map"),
    (raw(kindd="note"), "unknown_field", "unknown field 'kindd'; known: app, data, duration_s"),
    (raw(kind=""), "bad_event", "source and kind must not be empty"),
    (raw(source=None), "bad_event", "source and kind must not be empty"),
    (raw(subject=7), "bad_event", "subject must be a text"),
    (raw(kind="k" * 65), "too_large", "kind of 65 characters; the limit is 64"),
    (raw(ts=None), "bad_ts", "ts must be RFC 3339 text or seconds since 1970"),
    (raw(ts="yesterday"), "bad_ts", "ts must be RFC 3339 text"),
    (raw(ts=float("inf")), "bad_ts", "ts must be RFC 3339 text"),
    (raw(ts=True), "bad_ts", "ts must be RFC 3339 text"),
    (raw(ts=NOW_US / 1e6 + 301), "in_future", "ts is 301 s ahead; the limit is 300 s"),
    (raw(duration_s=-1), "bad_event", "duration_s must be a number of seconds"),
    (raw(duration_s=float("nan")), "bad_event", "duration_s must be a number of seconds"),
    (raw(duration_s=True), "bad_event", "duration_s must be a number of seconds"),
    (raw(data=[]), "bad_event", "data must be a map"),
    (raw(data=nested(MAX_DEPTH + 1)), "bad_event", f"data is nested more than {MAX_DEPTH} deep"),
    (raw(data={str(n): n for n in range(MAX_KEYS + 1)}), "bad_event", f"at most {MAX_KEYS} keys"),
    (raw(data={"x": float("nan")}), "bad_event", "finite numbers only"),
    (raw(data={"x": 1 << 63}), "bad_event", "integers of at most 64 bits"),
    (raw(data={"x": b"bytes"}), "bad_event", "JSON values only"),
    (raw(data={"x": "\ud800"}), "bad_event", "valid Unicode"),
    (raw(data={"x": "y" * 16_384}), "too_large", "the limit is 16,384"),
]


@pytest.mark.parametrize(
    ("value", "code", "words"), BAD_EVENTS, ids=[words for *_, words in BAD_EVENTS]
)
def test_a_bad_event_is_refused_by_name(value: object, code: str, words: str) -> None:
    with pytest.raises(WireError) as caught:
        event_from_json(value, NOW_US, LIMITS)

    assert caught.value.code == code
    assert words in str(caught.value)


def test_no_refusal_quotes_a_value() -> None:
    secret = "hunter2"
    fields = {
        "ts": secret,
        "kind": secret * 20,
        "subject": [secret],
        "duration_s": secret,
        "data": {"x": {1: secret}},
    }
    for name, value in fields.items():
        with pytest.raises(WireError) as caught:
            event_from_json(raw(**{name: value}), NOW_US, LIMITS)

        assert secret not in str(caught.value)


def test_an_event_may_be_a_little_ahead_and_never_more() -> None:
    allowed = event_from_json(raw(ts=NOW_US / 1e6 + 300), NOW_US, LIMITS)

    assert allowed.ts_us == NOW_US + 300_000_000


BAD_BATCHES: list[tuple[bytes, str, str]] = [
    (b"\xc1", "bad_batch", "not valid msgpack"),
    (batch()[:-1], "bad_batch", "not valid msgpack"),
    (b"\x91" * 5_000, "bad_batch", "not valid msgpack"),
    (bytes(msgpack.packb([])), "bad_batch", "exactly source, batch_id and events"),
    (batch(extra=1), "bad_batch", "exactly source, batch_id and events"),
    (batch(source=""), "bad_batch", "source must be a text of 1 to 64"),
    (batch(source="s" * 65), "bad_batch", "source must be a text of 1 to 64"),
    (batch(batch_id=-1), "bad_batch", "unsigned 64-bit"),
    (batch(batch_id=True), "bad_batch", "unsigned 64-bit"),
    (batch(events={}), "bad_batch", "events must be a list"),
    (batch(*[1] * 501), "too_large", "batch of 501 events; the limit is 500"),
    (batch(raw(subject="s" * 102_400)), "too_large", "the limit is 102,400"),
]


@pytest.mark.parametrize(("payload", "code", "words"), BAD_BATCHES, ids=range(len(BAD_BATCHES)))
def test_a_bad_batch_is_refused_as_a_whole(payload: bytes, code: str, words: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_batch(payload, NOW_US, LIMITS)

    assert caught.value.code == code
    assert words in str(caught.value)


def test_a_bad_event_loses_none_of_its_neighbours() -> None:
    received = decode_batch(batch(raw(), raw(ts="?"), raw(kind="last"), 7), NOW_US, LIMITS)

    assert [event.kind for event in received.events] == ["note", "last"]
    assert [(one.index, one.code) for one in received.rejected] == [(1, "bad_ts"), (3, "bad_event")]


def test_an_event_takes_the_source_of_its_batch() -> None:
    received = decode_batch(batch({"ts": 1.5, "kind": "note"}, source="shell"), NOW_US, LIMITS)

    assert received.events == (Event(1_500_000, "shell", "note"),)


@pytest.mark.parametrize("limits", [WireLimits(max_batch_bytes=40), WireLimits(max_batch_events=1)])
def test_the_limits_are_those_that_are_given(limits: WireLimits) -> None:
    with pytest.raises(WireError, match="the limit is"):
        decode_batch(batch(raw(), raw()), NOW_US, limits)


def test_a_record_of_another_version_says_so() -> None:
    record = encode_record(Event(1, "test", "note"))
    other = record[:8] + bytes(msgpack.packb([2, "test", "note", "", "", 0.0, {}]))

    with pytest.raises(WireError, match="version 2; this program reads 1"):
        decode_record(other)
