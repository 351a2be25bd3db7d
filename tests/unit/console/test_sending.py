"""Delivering a file's events: once, in any number of runs."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selflow.collect.ingest import IngestServer
from selflow.collect.normalise import Exclusions
from selflow.collect.redact import make_redactor
from selflow.collect.sieve import Sieve
from selflow.console.cli.invoke import make_invocation
from selflow.console.cli.sending import Cargo, deliver
from selflow.core.clock import SystemClock
from selflow.core.errors import NotRunningError
from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.core.ports import EventSink
from selflow.store.catalog import Catalog
from selflow.store.log import EventLog
from selflow.testing import ManualClock, MemoryLog

BASE_US = 1_700_000_000_000_000


def made(count: int, *, step_us: int = 1_000_000) -> list[Event]:
    return [Event(BASE_US + place * step_us, "x", "item", f"s{place}") for place in range(count)]


@contextmanager
def serving(sink: EventSink, root: Root) -> Iterator[None]:
    server = IngestServer(
        sink, Sieve(make_redactor(), Exclusions((), (), ""), ""), SystemClock(), root.socket("ingest.sock")
    )
    server.start()
    root.endpoints.write_text(json.dumps({"ingest": f"ipc://{root.socket('ingest.sock')}"}))
    try:
        yield
    finally:
        server.stop()


def cargo(root: Root, events: Iterator[Event] | list[Event], speed: float | None = None) -> Cargo:
    return Cargo("a file", root.path / "file", "test", events, speed=speed)


def in_another_process(root: Root, count: int) -> dict[str, int]:
    """Deliver there: LMDB may be open once in a process, and the server of the test has it."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        told = deliver(make_invocation(set()), cargo(root, made(count)), SystemClock())
        os.write(write, json.dumps([told.events, told.accepted, told.already_there]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        events, accepted, already_there = json.loads(pipe.read())
    os.waitpid(pid, 0)
    return {"events": events, "accepted": accepted, "already_there": already_there}


def test_everything_arrives_in_its_order(root: Root) -> None:
    log = MemoryLog()
    with serving(log, root):
        told = deliver(make_invocation(set()), cargo(root, made(1_200)), SystemClock())

    assert (told.events, told.accepted, told.already_there) == (1_200, 1_200, 0)
    assert [each.event.subject for each in log.read(0, 2_000)] == [f"s{place}" for place in range(1_200)]
