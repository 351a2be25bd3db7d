"""The store of ActivityWatch's buckets: heartbeats, ranges, ids, and what a crash leaves."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selflow.collect.activitywatch.forget import forget_events
from selflow.collect.activitywatch.handing import Handing
from selflow.collect.activitywatch.heartbeat import merge_heartbeat
from selflow.collect.activitywatch.log_events import as_log_event, filtered, source_of
from selflow.collect.activitywatch.ranges import TimeRange
from selflow.collect.activitywatch.shapes import AwBucket, AwEvent, parse_event, parse_moment
from selflow.collect.activitywatch.tables import database_of
from selflow.core.errors import ApiError
from tests.unit.collect.activitywatch.worlds import (
    NOW_US,
    WINDOW,
    Store,
    event,
    make_filter,
    reduced,
)

LATER_US = NOW_US + 3_600_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store.make(tmp_path / "aw", WINDOW)
    yield made
    made.commit.close()


BEATS = st.lists(
    st.builds(
        lambda at, lasts, app: event(at, lasts, app=app),
        st.integers(0, 40),
        st.sampled_from([0, 0, 1, 5, -2]),
        st.sampled_from("ab"),
    ),
    max_size=20,
)


@pytest.mark.slow
@given(beats=BEATS, pulsetime_s=st.sampled_from([0, 1, 3, 10]))
@settings(max_examples=60)
def test_heartbeats_give_what_the_rule_in_plain_words_gives(
    tmp_path_factory: pytest.TempPathFactory, beats: list[AwEvent], pulsetime_s: int
) -> None:
    store = Store.make(tmp_path_factory.mktemp("aw"), WINDOW)
    for beat in beats:
        store.beat(beat, pulsetime_s)
    rows = store.reader.events(WINDOW.id, TimeRange())
    found = sorted((row.id or 0, row.ts_us, row.duration_us, row.data) for row in rows)
    store.commit.close()

    assert [row[1:] for row in found] == reduced(beats, pulsetime_s * 1_000_000)


@pytest.mark.parametrize(
    ("at_s", "merges"), [(0, True), (15, True), (15.000001, False), (-1, False)]
)
def test_both_ends_of_the_pulse_time_are_included(at_s: float, *, merges: bool) -> None:
    tail = event(0, 10, app="a")

    assert (merge_heartbeat(tail, event(at_s, app="a"), 5_000_000) is not None) == merges


def test_a_merged_heartbeat_keeps_the_row_and_never_shortens_it(store: Store) -> None:
    first = store.beat(event(0, 30, app="a"))
    second = store.beat(event(3, 1, app="a"))

    assert (second.id, second.duration_us) == (first.id, 30_000_000)


def test_the_tail_is_what_the_last_heartbeat_wrote_though_it_is_older(store: Store) -> None:
    store.beat(event(100, 1, app="late"))
    old = store.beat(event(0, 1, app="early"))
    again = store.beat(event(3, 1, app="early"))

    assert again.id == old.id


def test_the_tail_is_known_again_after_a_restart(store: Store) -> None:
    store.beat(event(100, 1, app="late"))
    old = store.beat(event(0, 1, app="early"))
    store.commit.close()
    second = Store.make(store.folder)
    again = second.beat(event(3, 1, app="early"))
    second.commit.close()

    assert again.id == old.id


def test_an_insert_resets_the_tail_to_the_newest_event(store: Store) -> None:
    store.beat(event(0, 1, app="a"))
    (inserted,) = store.insert([event(2, 1, app="b")])
    merged = store.beat(event(4, 1, app="b"))

    assert merged.id == inserted.id


def test_events_are_cut_to_the_range_that_was_asked_for(store: Store) -> None:
    store.insert([event(0, 10, app="a"), event(20, 10, app="b"), event(40, 10, app="c")])
    limits = TimeRange.of_client(NOW_US + 5_000_000, NOW_US + 25_000_000)

    assert [span[:2] for span in store.spans(limits)] == [(5, 5), (20, 5)]


def test_a_long_event_is_found_from_its_middle(store: Store) -> None:
    store.insert([event(0, 400_000, app="a")])
    store.insert([event(n, 1, app="b") for n in range(100)])
    limits = TimeRange.of_client(NOW_US + 300_000_000_000, None)

    assert [span[:2] for span in store.spans(limits)] == [(300_000, 100_000)]


def test_a_range_is_widened_to_whole_milliseconds() -> None:
    assert TimeRange.of_client(1_234_567, 2_000_001) == TimeRange(1_234_000, 2_001_000)


def test_more_events_than_one_page_come_once_each(store: Store) -> None:
    store.insert(event(n // 2, 0, app=str(n)) for n in range(2_500))

    assert len({data for _, _, data in store.spans()}) == 2_500


def test_an_id_replaces_that_event_of_its_own_bucket_alone(store: Store) -> None:
    other = AwBucket("other", "t", "c", "h", NOW_US)
    store.do(lambda writer: writer.create(other))
    (known,) = store.insert([event(0, 1, app="a")])
    store.insert([AwEvent(NOW_US, 5_000_000, '{"app":"z"}', known.id)], other)
    store.insert([AwEvent(NOW_US, 2_000_000, '{"app":"b"}', known.id)])

    assert [span[1:] for span in store.spans()] == [(2.0, '{"app":"b"}')]


def test_a_change_that_fails_is_undone_alone(store: Store) -> None:
    failing = store.commit.submit(lambda writer: writer.insert("nobody", [event(0)], NOW_US))
    kept = store.commit.submit(lambda writer: writer.insert(WINDOW.id, [event(0)], NOW_US))
    with pytest.raises(ApiError, match="There's no bucket named nobody"):
        failing.result(timeout=10)

    assert kept.result(timeout=10)[0].id
    assert len(store.spans()) == 1


def test_what_another_process_deleted_is_not_lengthened(store: Store) -> None:
    first = store.beat(event(0, 1, app="a"))
    with closing(sqlite3.connect(database_of(store.folder))) as other:
        other.execute("DELETE FROM events")
        other.commit()
    second = store.beat(event(1, 1, app="a"))

    assert second.id != first.id
    assert len(store.spans()) == 1


def test_the_store_is_its_owners_alone(store: Store) -> None:
    modes = {path.stat().st_mode & 0o777 for path in store.folder.iterdir()}

    assert modes == {0o600}
    assert store.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T00:00:00+00:00",
        "2026-01-01T00:00:00 00:00",
        "2026-01-01T00:00:00Z",
        "2026-01-01T02:00:00+02:00",
        "2026-01-01T00:00:00.000000000Z",
        "2026-01-01T00:00:00",
    ],
)
def test_a_moment_is_read_in_every_form_that_clients_send(text: str) -> None:
    assert parse_moment(text) == NOW_US


@pytest.mark.parametrize(
    "raw",
    [
        *(1, None, [], {}, {"timestamp": 5}, {"timestamp": "yesterday"}),
        *({"timestamp": "2026-01-01", "duration": "long"}, {"timestamp": "2026-01-01", "id": "x"}),
        *({"timestamp": "2026-01-01", "data": []}, {"timestamp": "2026-01-01", "id": 1 << 70}),
        {"timestamp": "2026-01-01", "duration": float("inf")},
    ],
)
def test_a_bad_event_is_refused_without_quoting_it(raw: object) -> None:
    with pytest.raises(ApiError) as refused:
        parse_event(raw)

    assert refused.value.status == 400
    assert "yesterday" not in str(refused.value)


def test_secrets_are_replaced_before_anything_is_stored() -> None:
    sent = event(0, app="term", title="export TOKEN=ghp_0123456789abcdefghijABCDEFGHIJ012345")
    kept = filtered(make_filter(), WINDOW, sent)

    assert kept is not None
    assert "ghp_" not in kept.data


def test_an_excluded_program_and_a_private_window_are_never_stored() -> None:
    private = event(0, url="https://a.example", incognito=True)

    assert filtered(make_filter("keepass*"), WINDOW, event(0, app="KeePassXC")) is None
    assert filtered(make_filter(), WINDOW, private) is None


def test_events_reach_the_log_once_they_are_finished(store: Store) -> None:
    handing = Handing(store.commit)
    store.beat(event(0, 1, app="a"), pulsetime_s=60)

    assert handing.next(NOW_US + 60_000_000) is None
    batch = handing.next(LATER_US)
    assert batch is not None
    (handed,) = batch.events
    assert (handed.source, handed.kind) == (source_of(WINDOW.id), "currentwindow")
    assert (handed.subject, handed.app, handed.duration_s) == ("a", "a", 1)


def test_a_batch_keeps_its_number_until_the_log_has_it(store: Store) -> None:
    handing = Handing(store.commit)
    store.insert([event(0, 1, app="a")])
    first = handing.next(LATER_US)
    store.insert([event(5, 1, app="b")])
    again = handing.next(LATER_US)

    assert first is not None
    assert again == first
    assert store.reader.waiting() == 2
    handing.done(first.number)
    assert store.reader.waiting() == 1
    following = handing.next(LATER_US)
    assert following is not None
    assert following.batch_id != first.batch_id
    assert [one.subject for one in following.events] == ["b"]


def test_a_bucket_with_a_long_name_has_a_source_of_its_own() -> None:
    names = {source_of("w" * 100 + end) for end in "ab"}

    assert len(names) == 2
    assert max(map(len, names)) <= 64


def test_a_deletion_takes_the_bytes_too(store: Store) -> None:
    store.insert([event(0, 1, app="a", title="unmistakable words")])
    store.insert([event(900, 1, app="b", title="what stays")])
    count = forget_events(store.folder, lambda one: one.app == "a")
    left = b"".join(path.read_bytes() for path in store.folder.iterdir())

    assert count == 1
    assert b"unmistakable" not in left
    assert b"what stays" in left


def test_a_log_event_keeps_the_data_whole() -> None:
    bucket = AwBucket("aw-watcher-web_host", "web.tab.current", "c", "h", NOW_US)
    shown = as_log_event(bucket, event(0, 2, url="https://a.example/x", title="X", audible=False))

    assert shown.subject == "https://a.example/x"
    assert shown.data == {"url": "https://a.example/x", "title": "X", "audible": False}
