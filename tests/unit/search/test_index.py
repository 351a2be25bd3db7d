"""The index follows the log: what comes, what goes, and what was broken."""

import resource
import sqlite3
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from selflow.collect.event_filter import EventFilter
from selflow.collect.normalise import Exclusions
from selflow.collect.redact import make_redactor
from selflow.core.clock import SystemClock
from selflow.core.codec import decode_record
from selflow.core.errors import StoreError
from selflow.core.events import Event
from selflow.core.settings import PrivacySettings
from selflow.search import index as index_file
from selflow.search.asking import Request, SearchPlace, ask
from selflow.search.follow import BATCH_EVENTS, EmptyLog, catch_up
from selflow.search.records import Answer
from selflow.testing import ManualClock
from tests.unit.search.conftest import ShrinkingLog
from tests.unit.search.scan import NOW, ZONE

Asked = Callable[[str], Answer]
NOW_US = round(NOW.timestamp() * 1e6)
HOUR_US = 3_600_000_000


def change(path: str, hours_ago: int = 1, **data: str) -> Event:
    return Event(NOW_US - hours_ago * HOUR_US, "files", "file.modify", path, data=data)


def test_what_comes_is_found_at_the_next_question(log: ShrinkingLog, asked: Asked) -> None:
    log.add([change("docs/tide.md")])
    before = asked("tide").event_count
    log.add([change("docs/tide.md"), change("docs/moon.md")])

    assert (before, asked("tide").event_count) == (1, 2)


def test_numbers_are_those_of_the_log(log: ShrinkingLog, asked: Asked) -> None:
    log.add([change("a.md"), change("b.md"), change("a.md")])
    log.delete(1)

    answer = asked("a.md")

    assert [result.seq for result in answer.results] == [3]
    assert answer.facts[0].seqs == (3,)


@pytest.mark.parametrize("gone", [(1,), (2,), (3,), (1, 2, 3)])
def test_deleted_events_leave_answers_and_file(
    gone: tuple[int, ...], log: ShrinkingLog, asked: Asked, where: SearchPlace
) -> None:
    log.add(change(f"secretplan{n}.md", note=f"zebra{n}") for n in (1, 2, 3))
    asked("secretplan1")
    log.delete(*gone)

    found = {n for n in (1, 2, 3) if asked(f"zebra{n}").event_count}
    raw = index_file.file_of(where.folder).read_bytes()

    assert found == {1, 2, 3} - set(gone)
    assert not any(f"{word}{n}".encode() in raw for word in ("secretplan", "zebra") for n in gone)


def test_a_deletion_and_new_events_together_are_both_seen(log: ShrinkingLog, asked: Asked) -> None:
    log.add([change("old.md"), change("stays.md")])
    asked("old.md")
    log.delete(1)
    log.add([change("new.md"), change("newer.md")])
    log.delete(4)

    counts = [asked(f"{name}.md").event_count for name in ("old", "stays", "new", "newer")]

    assert counts == [0, 1, 1, 0]


def test_another_log_in_the_same_root_is_indexed_anew(
    log: ShrinkingLog, where: SearchPlace
) -> None:
    log.add([change("old.md"), change("old.md")])
    ask(Request("old.md"), where)
    other = ShrinkingLog()
    other.add([change("new.md", 2), change("new.md", 3), change("new.md", 4)])

    answer = ask(Request("old.md"), SearchPlace(where.folder, other, where.clock, ZONE))
    emptied = ask(Request("new.md"), SearchPlace(where.folder, EmptyLog(), where.clock, ZONE))

    assert answer.event_count == 0
    assert "belonged to another event log" in answer.notes[0]
    assert emptied.notes[-1] == "nothing was found: the event log is empty"


def test_an_older_schema_is_rebuilt_and_said(log: ShrinkingLog, where: SearchPlace) -> None:
    log.add([change("a.md")])
    ask(Request("a.md"), where)
    with sqlite3.connect(index_file.file_of(where.folder)) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    answer = ask(Request("a.md"), where)

    assert answer.event_count == 1
    assert answer.notes == (
        "the search index was broken or of another version: it was rebuilt from the event log",
    )


@pytest.mark.parametrize(
    "damage", [b"no database at all" * 100, b"SQLite format 3\0" + b"\7" * 900]
)
def test_a_broken_file_is_rebuilt_and_said(
    damage: bytes, log: ShrinkingLog, where: SearchPlace
) -> None:
    log.add([change("a.md")])
    ask(Request("a.md"), where)
    index_file.file_of(where.folder).write_bytes(damage)

    answer = ask(Request("a.md"), where)

    assert answer.event_count == 1
    assert "rebuilt from the event log" in answer.notes[0]


def test_pages_broken_behind_the_header_are_rebuilt_too(
    log: ShrinkingLog, where: SearchPlace
) -> None:
    log.add(change(f"n{n}.md") for n in range(500))
    ask(Request("n1.md"), where)
    path = index_file.file_of(where.folder)
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\xff" * (len(raw) - 4096)
    path.write_bytes(raw)

    answer = ask(Request("n1.md"), where)

    assert answer.event_count == 1
    assert "rebuilt from the event log" in answer.notes[0]


def test_the_log_is_read_in_bounded_batches(log: ShrinkingLog, where: SearchPlace) -> None:
    log.add(change("a.md") for _ in range(2 * BATCH_EVENTS + 1))
    shown: list[tuple[int, int]] = []

    catch_up(where.folder, log, where.clock, lambda done, total: shown.append((done, total)))

    total = 2 * BATCH_EVENTS + 1
    assert shown == [(BATCH_EVENTS, total), (2 * BATCH_EVENTS, total), (total, total)]
    assert max(log.reads) == BATCH_EVENTS


def test_forms_of_a_word_are_found_and_the_word_itself_comes_first(
    log: ShrinkingLog, asked: Asked
) -> None:
    log.add([change("writer.md", 5), *(change(f"a{n}/writers.md", n) for n in (1, 2, 3))])
    log.add([change(f"b{n}/writer.md", n) for n in (6, 7, 8)])

    answer = asked("writer")

    assert answer.event_count == 7
    assert [result.text for result in answer.results[4:]] == [f"a{n}/writers.md" for n in (1, 2, 3)]


def test_a_phrase_with_many_forms_is_found_as_it_is_written(
    log: ShrinkingLog, asked: Asked
) -> None:
    endings = ("", "s", "ed", "ing", "er", "ers")
    log.add(change(f"{word}{end}.md") for word in ("paint", "load", "test") for end in endings)
    log.add([change("paint load test paint.md"), change("paints loads tests.md")])

    assert asked('"paint load test paint"').event_count == 1
    assert asked('"paint load"').event_count == 2


def test_only_the_owner_can_read_the_index(log: ShrinkingLog, where: SearchPlace) -> None:
    log.add([change("a.md")])
    ask(Request("a.md"), where)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in where.folder.iterdir()}

    assert modes == {"search.db": 0o600, "search.lock": 0o600}
    assert stat.S_IMODE(where.folder.stat().st_mode) == 0o700


def test_an_index_holds_what_the_log_holds_and_no_secret(
    log: ShrinkingLog, where: SearchPlace
) -> None:
    event_filter = EventFilter(make_redactor(PrivacySettings()), Exclusions(("s3",), (), ""), "")
    event = change("a.md", note="token ghp_" + "a1B2" * 9 + " of ada@example.org")
    log.add(map(decode_record, event_filter.apply([event]).records))

    ask(Request("a.md"), where)
    raw = index_file.file_of(where.folder).read_bytes()

    assert b"a.md" in raw
    assert b"ghp_" not in raw
    assert b"example.org" not in raw


def test_two_askers_at_once_get_the_same_answer(log: ShrinkingLog, where: SearchPlace) -> None:
    log.add(change(f"docs/n{n % 7}.md") for n in range(3_000))
    here = replace(where, clock=SystemClock())  # one waits for another
    answers: list[Answer] = []
    askers = [
        threading.Thread(target=lambda: answers.append(ask(Request("docs"), here)))
        for _ in range(4)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(timeout=60)

    assert len(answers) == 4
    assert {answer.event_count for answer in answers} == {3_000}


def test_an_asker_does_not_wait_for_ever(tmp_path: Path) -> None:
    clock = ManualClock(NOW_US)

    with (
        index_file.lock(tmp_path, clock, is_exclusive=True),
        pytest.raises(StoreError, match="another process has held the search index for 120 s"),
    ):
        catch_up(tmp_path, EmptyLog(), clock)


def test_a_full_disk_is_said_with_a_next_step(log: ShrinkingLog, where: SearchPlace) -> None:
    log.add(change(f"docs/{n}.md") for n in range(3_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        with pytest.raises(StoreError, match="cannot write the search index") as caught:
            ask(Request("docs"), where)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert "free some space" in caught.value.hint
    assert ask(Request("docs"), where).event_count == 3_000
