"""Exports: out and in again, of both servers' shapes, broken ones refused."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selflow.collect.activitywatch.stream import read_export
from selflow.core.errors import ApiError
from tests.unit.collect.activitywatch.worlds import WINDOW, Store, event, make_filter

PYTHON_SHAPE = {
    "buckets": {
        "aw-watcher-window_host": {
            "id": "aw-watcher-window_host",
            "created": "2026-01-01T00:00:00+00:00",
            "name": None,
            "type": "currentwindow",
            "client": "aw-watcher-window",
            "hostname": "host",
            "data": {},
            "events": [
                {
                    "timestamp": "2026-01-01T00:00:05.123000+00:00",
                    "duration": 2.5,
                    "data": {"title": "b", "app": "a"},
                }
            ],
        }
    }
}
RUST_SHAPE = {
    "buckets": {
        "aw-watcher-window_host": {
            "id": "aw-watcher-window_host",
            "type": "currentwindow",
            "client": "aw-watcher-window",
            "hostname": "host",
            "created": "2026-01-01T00:00:00Z",
            "data": {},
            "metadata": {"start": None, "end": None},
            "events": [
                {
                    "id": 17,
                    "timestamp": "2026-01-01T00:00:05.123Z",
                    "duration": 2.5,
                    "data": {"app": "a", "title": "b"},
                }
            ],
            "last_updated": None,
        }
    }
}
PUBLISHED_SHAPE = {"buckets": [PYTHON_SHAPE["buckets"]["aw-watcher-window_host"]]}
EVENTS_FIRST = {
    "buckets": {
        "aw-watcher-window_host": dict(
            reversed(PYTHON_SHAPE["buckets"]["aw-watcher-window_host"].items())
        )
    }
}
SHAPES = {
    "python": PYTHON_SHAPE,
    "rust": RUST_SHAPE,
    "published": PUBLISHED_SHAPE,
    "events first": EVENTS_FIRST,
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.make(tmp_path / "aw")
    yield made
    made.commit.close()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_server_s_export_gives_the_same_store(store: Store, shape: str) -> None:
    count = store.merge(json.dumps(SHAPES[shape]))
    bucket = store.reader.bucket("aw-watcher-window_host")

    assert (count.buckets, count.events, count.stored) == (1, 1, 1)
    assert store.spans() == [(5.123, 2.5, '{"app":"a","title":"b"}')]
    assert (bucket.type, bucket.client, bucket.hostname) == (WINDOW.type, WINDOW.client, "host")


def test_a_second_import_changes_nothing(store: Store) -> None:
    store.merge(json.dumps(PYTHON_SHAPE))
    before = store.export()
    count = store.merge(json.dumps(RUST_SHAPE))

    assert (count.stored, count.already_there) == (0, 1)
    assert store.export() == before


def test_an_export_comes_in_again_as_it_was(store: Store, tmp_path: Path) -> None:
    store.do(lambda writer: writer.create(WINDOW))
    store.insert(event(n, n % 3, app=str(n % 7), title="t\u00e9\ud83d\ude00") for n in range(3_000))
    other = Store.make(tmp_path / "other")
    other.merge(store.export())
    exported = other.export()
    other.commit.close()

    assert exported == store.export()
    assert len(json.loads(exported)["buckets"][WINDOW.id]["events"]) == 3_000


def test_an_import_goes_through_the_privacy_rules(store: Store) -> None:
    count = store.merge(json.dumps(PYTHON_SHAPE), make_filter("a"))

    assert (count.dropped, count.stored) == (1, 0)
    assert store.spans() == []


BROKEN = [
    *("", "{", "[]", "{}", '{"buckets":', '{"buckets":{"a":{}}}', '{"buckets":[{"events":[{}]}]}'),
    *('{"buckets":{"a":{"events":[1]}}}', '{"buckets":{"a":{"type":1}}}', '{"buckets":{,}}'),
    '{"buckets":{"a":{"type":"","client":"","hostname":"","events":[{"timestamp":"x"}]}}}',
    '{"buckets":{"a":{"type":"t","client":"c","hostname":"h","events":[NaN]}}}',
]


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_export_is_refused(store: Store, text: str) -> None:
    with pytest.raises(ApiError) as refused:
        store.merge(text)

    assert refused.value.status == 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**6) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    events=st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=3), max_size=3),
    step=st.sampled_from([1, 7, 40]),
    indent=st.sampled_from([None, 2]),
)
@settings(max_examples=25)
def test_however_the_text_is_cut_the_parts_are_the_same(
    events: list[object], step: int, indent: int | None
) -> None:
    text = json.dumps({"x": 12, "buckets": {"b": {"type": "t", "events": events}}}, indent=indent)
    places = iter(range(0, len(text) + step, step))
    parts = read_export(lambda _: text[(at := next(places)) : at + step])

    assert [item for _, item in parts if item is not None] == events


@given(text=st.text(alphabet='{}[],:"bucketsvn1 ', max_size=60))
@settings(max_examples=60)
def test_no_text_makes_the_reader_fail_otherwise(text: str) -> None:
    pieces = iter([text])
    parts = None
    with suppress(ApiError):
        parts = [*read_export(lambda _: next(pieces, ""))]

    assert parts is None or '"buckets"' in text
