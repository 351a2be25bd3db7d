"""Threads end loudly."""

from threading import Event

import pytest

from selflow.core.threads import WatchedThread

DEADLINE_S = 10.0


def test_a_thread_that_fails_is_told_and_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    was_told = Event()

    def fail() -> None:
        raise KeyError("the owner's secret")

    thread = WatchedThread("ingest thread", fail, was_told.set)
    thread.start()
    assert was_told.wait(DEADLINE_S)

    assert thread.fault == "the ingest thread has ended (KeyError)"
    assert "the ingest thread has ended: KeyError at" in caplog.text
    assert "secret" not in caplog.text


def test_a_thread_that_returns_has_no_fault() -> None:
    was_told = Event()
    thread = WatchedThread("ingest thread", lambda: None, was_told.set)
    thread.start()
    thread.join(DEADLINE_S)

    assert (thread.fault, was_told.is_set()) == ("", False)
