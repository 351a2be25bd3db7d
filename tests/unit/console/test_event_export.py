"""``selflow events show|count|tail|export``, and ``selflow import events``: what was carried away
comes back as it was.
"""

import csv
import json
import os
from pathlib import Path

import pytest
from pyarrow.parquet import read_table

from selflow.collect.importers.event_file import import_event_file
from selflow.collect.progress import Progress
from selflow.console import event_export
from selflow.core.errors import UsageError
from selflow.core.event_file import FORMATS, sha256_of
from selflow.core.events import Event
from selflow.core.paths import Root
from tests.unit.console.conftest import Cli
from tests.unit.console.test_events_logs import BASE_US, event, store

LATER_US = BASE_US + 10**12
ODD = Event(
    BASE_US + 7,
    "shell",
    "shell.command",
    'grep "a, b" x\ny\tü🙂',
    "bash",
    0.1 + 0.2,
    {"folder": "/home/o", "exit": 1, "deep": {"list": [1, 2.5, None, True, "x"]}, "big": 2**63 - 1},
)


@pytest.fixture
def stored(root: Root) -> list[Event]:
    events = [ODD, event(3, "/home/o/src/a.py"), event(1, "/home/o/b.md"), event(2, "")]
    store(root, *events)
    return events


@pytest.mark.parametrize("ending", FORMATS)
def test_what_was_exported_comes_back_as_it_was(
    cli: Cli, tmp_path: Path, stored: list[Event], ending: str
) -> None:
    path = tmp_path / f"out.{ending}"
    document = cli("events", "export", "--out", str(path), "--json").document
    reading = Progress()

    assert list(import_event_file(path, LATER_US, reading)) == stored
    assert (reading.bad_rows, document["rows"]) == (0, 4)
    assert path.stat().st_mode & 0o777 == 0o600
    schema = json.loads((tmp_path / f"out.{ending}.schema.json").read_text())
    assert (schema["rows"], schema["format"]) == (4, ending)
    assert schema["sha256"] == sha256_of(path) == document["sha256"]
    assert (schema["first"], schema["last"]) == (
        "2023-11-14T22:13:20.000007Z",
        "2023-11-14T22:13:23.000000Z",
    )
    assert [field["name"] for field in schema["fields"]][:2] == ["seq", "ts"]


@pytest.mark.parametrize("ending", FORMATS)
def test_no_events_are_a_file_too(cli: Cli, tmp_path: Path, root: Root, ending: str) -> None:
    store(root, event(0))
    path = tmp_path / f"out.{ending}"
    cli("events", "export", "--out", str(path), "--source", "none")

    assert list(import_event_file(path, LATER_US, Progress())) == []


def test_other_programs_read_the_files(cli: Cli, tmp_path: Path, stored: list[Event]) -> None:
    for ending in ("csv", "json", "parquet"):
        assert cli("events", "export", "--out", str(tmp_path / f"out.{ending}")).code == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    table = read_table(tmp_path / "out.parquet")

    assert [row["subject"] for row in rows] == [one.subject for one in stored]
    assert [row["seq"] for row in json.loads((tmp_path / "out.json").read_text())] == [1, 2, 3, 4]
    assert table.column("ts").to_pylist() == [one.ts for one in stored]
    assert table.column("duration_s").to_pylist()[0] == ODD.duration_s


def test_only_what_was_asked_for_is_exported(cli: Cli, tmp_path: Path, stored: list[Event]) -> None:
    path = tmp_path / "part.jsonl"
    options = ["--folder", "/home/o/src/", "--kind", "file.modify"]

    assert cli("events", "export", "--out", str(path), *options, "--json").document["rows"] == 1
    assert json.loads(path.read_text())["subject"] == stored[1].subject


def test_nothing_is_written_over_and_a_wrong_ending_is_named(
    cli: Cli, tmp_path: Path, stored: list[Event]
) -> None:
    path = tmp_path / "out.csv"
    path.write_text("mine")

    ended = cli("events", "export", "--out", str(path))
    assert (ended.code, path.read_text()) == (2, "mine")
    assert "is there already" in ended.err
    assert "csv, json, jsonl, parquet" in cli("events", "export", "--out", "x.doc").err
    assert "no folder" in cli("events", "export", "--out", str(tmp_path / "no" / "x.csv")).err
    assert len(stored) == 4


def test_a_full_disk_leaves_no_half_file(
    cli: Cli, tmp_path: Path, stored: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()

    def full(_descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(event_export.os, "fsync", full)
    ended = cli("events", "export", "--out", str(folder / "out.csv"))

    assert (ended.code, list(folder.iterdir())) == (1, [])
    assert "free some space" in ended.err
    assert len(stored) == 4


def test_a_file_that_was_changed_is_refused(cli: Cli, tmp_path: Path, stored: list[Event]) -> None:
    path = tmp_path / "out.jsonl"
    cli("events", "export", "--out", str(path))
    path.write_text(path.read_text().replace("grep", "rm"))

    with pytest.raises(UsageError, match="its hash differs"):
        import_event_file(path, LATER_US, Progress())
    (tmp_path / "out.jsonl.schema.json").write_text("{}")
    with pytest.raises(UsageError, match="not a schema file"):
        import_event_file(path, LATER_US, Progress())
    (tmp_path / "out.jsonl.schema.json").unlink()
    assert len(list(import_event_file(path, LATER_US, Progress()))) == len(stored)


def test_a_row_that_is_no_event_is_counted_and_named(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    head = "seq,ts,source,kind,subject,app,duration_s,data\n"
    rows = [
        "1,2023-01-01T00:00:00Z,s,k,,,0,{}",
        "2,2999-01-01T00:00:00Z,s,k,,,0,{}",
        "3,?,s,k,,,0,x",
    ]
    path.write_text(head + "\n".join(rows) + "\n")
    reading = Progress()

    assert len(list(import_event_file(path, LATER_US, reading))) == 1
    assert reading.bad_lines == [3, 4]


def test_one_event_is_shown_with_all_its_fields(cli: Cli, stored: list[Event]) -> None:
    document = cli("events", "show", "1", "--json").document

    assert (document["seq"], document["data"]) == (1, dict(stored[0].data))
    assert "no event 9" in cli("events", "show", "9").err


def test_events_are_counted_apart(cli: Cli, stored: list[Event]) -> None:
    document = cli("events", "count", "--json").document

    assert document["events"] == len(stored)
    assert document["items"] == [{"source": "files", "events": 3}, {"source": "shell", "events": 1}]
    days = cli("events", "count", "--by", "day", "--kind", "file.modify", "--json").document
    assert days["items"] == [{"day": "2023-11-14", "events": 3}]
    assert cli("events", "count", "--app", "bash", "--json").document["events"] == 1


def test_events_alone_are_events_ls(cli: Cli, stored: list[Event]) -> None:
    assert (
        cli("events", "--limit", "2", "--json").document
        == cli("events", "ls", "--limit", "2", "--json").document
    )
    assert len(stored) == 4
