"""Events with known contents, for the tests of the store."""

from pathlib import Path

from selflow.core.codec import encode_record
from selflow.core.events import Event
from selflow.store.log import EventLog

START_US = 1_767_225_600_000_000


def record(number: int, ts_us: int | None = None, padding_bytes: int = 0) -> bytes:
    moment_us = START_US + number if ts_us is None else ts_us
    data = {"n": number, "padding": "x" * padding_bytes}
    return encode_record(Event(moment_us, "files", "file.modify", f"/w/{number}", data=data))


def open_log(folder: Path, map_bytes: int = 1 << 20) -> EventLog:
    return EventLog(folder, budget_bytes=64_000_000, credits=8, map_bytes=map_bytes)
