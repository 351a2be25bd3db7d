"""The index as threads share it: it follows what other processes make of the file."""

from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import Mock

import pytest

from selflow.core.errors import StoreError
from selflow.core.events import Event
from selflow.search import index as index_file
from selflow.search.asking import SearchPlace
from selflow.search.follow import BATCH_EVENTS, catch_up
from selflow.search.index import SearchIndex
from selflow.search.shared import SharedIndex
from selflow.testing import ManualClock
from tests.unit.search.conftest import ShrinkingLog


@pytest.fixture
def shared(where: SearchPlace) -> Iterator[SharedIndex]:
    index = SharedIndex(where.folder, where.clock)
    yield index
    index.close()


def event(subject: str) -> Event:
    return Event(1, "files", "file.modify", subject)


def test_what_another_process_rebuilt_is_what_all_threads_see(
    shared: SharedIndex, log: ShrinkingLog, where: SearchPlace
) -> None:
    log.add([event("secret.md"), event("plain.md")])
    shared.follow(log)
    assert shared.search("secret", None, 5) == [1]
    log.delete(1)
    catch_up(where.folder, log, where.clock)

    assert shared.search("secret", None, 5) == []
    assert shared.events_between(0, 1) == 1


def test_a_log_that_lost_events_is_followed_anew(shared: SharedIndex, log: ShrinkingLog) -> None:
    log.add([event(f"{n}.md") for n in range(5)])
    shared.follow(log)
    log.delete(2, 3)

    assert shared.follow(log) == 3
    assert shared.follow(log) == 0
    assert shared.events_between(0, 1) == 3


def test_a_broken_file_is_followed_anew(
    shared: SharedIndex, log: ShrinkingLog, where: SearchPlace
) -> None:
    log.add([event("a.md")])
    shared.follow(log)
    shared.close()
    index_file.file_of(where.folder).write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="cannot use the search index"):
        shared.search("a", None, 5)

    assert shared.follow(log) == 1
    assert shared.search("a", None, 5) == [1]


def test_a_follower_waits_for_who_has_the_index(
    shared: SharedIndex, log: ShrinkingLog, where: SearchPlace
) -> None:
    log.add([event("a.md")])
    other = replace(where, clock=ManualClock())
    with (
        index_file.lock(where.folder, other.clock, is_exclusive=True),
        pytest.raises(StoreError, match="another process has held the search index"),
    ):
        shared.follow(log)


def test_memory_is_given_back_once_after_many_batches(
    shared: SharedIndex, log: ShrinkingLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink = Mock()
    monkeypatch.setattr(SearchIndex, "shrink", shrink)
    log.add([event("a.md")] * BATCH_EVENTS)
    shared.follow(log)
    assert shrink.call_count == 0
    shared.follow(log)
    assert shrink.call_count == 1

    for _ in range(2):
        log.add([event("b.md")])
        shared.follow(log)
        shared.follow(log)

    assert shrink.call_count == 1
