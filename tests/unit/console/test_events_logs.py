"""``selflow events`` and ``selflow logs``."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from selflow.console.cli.logs import _read_on
from selflow.core.codec import encode_record
from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.store.log import EventLog
from tests.unit.console.conftest import Cli

BASE_US = 1_700_000_000_000_000
SELFLOW = [sys.executable, "-c", "from selflow.console.cli.main import main; main()"]


def store(root: Root, *events: Event, batch_id: int = 1) -> None:
    log = EventLog(root.events, budget_bytes=1_000_000, credits=1)
    log.append("test", batch_id, [encode_record(event) for event in events])
    log.close()


def event(
    second: int, subject: str = "x", source: str = "files", kind: str = "file.modify"
) -> Event:
    return Event(BASE_US + second * 1_000_000, source, kind, subject)


def test_without_a_log_there_are_no_events_and_no_error(cli: Cli) -> None:
    ended = cli("events", "--json")

    assert ended.code == 0
    assert ended.document == {"items": [], "next": None}


def test_the_newest_stand_last_and_only_so_many(cli: Cli, root: Root) -> None:
    store(root, *(event(second, f"s{second}") for second in (3, 1, 4, 2)))
    document = cli("events", "--limit", "3", "--json").document

    assert [item["subject"] for item in document["items"]] == ["s2", "s3", "s4"]
    assert document["items"][0]["ts"] == "2023-11-14T22:13:22.000000Z"
    assert set(document["items"][0]) == {
        "seq",
        "ts",
        "source",
        "kind",
        "subject",
        "app",
        "duration_s",
        "data",
    }


def test_the_cursor_goes_on_to_older_ones_and_misses_none(cli: Cli, root: Root) -> None:
    store(root, *(event(second // 3, f"s{second}") for second in range(10)))
    seen: list[str] = []
    cursor: list[str] = []
    while True:
        document = cli("events", "--limit", "4", "--json", *cursor).document
        seen += reversed([item["subject"] for item in document["items"]])
        if document["next"] is None:
            break
        cursor = ["--cursor", document["next"]]

    assert seen == [f"s{n}" for n in reversed(range(10))]


def test_a_page_of_events_of_one_moment_is_read_whole(cli: Cli, root: Root) -> None:
    store(root, *(event(0, f"s{n}") for n in range(1_100)), event(-1, "older", kind="k"))

    assert cli("events", "--kind", "k", "--json").document["items"][0]["subject"] == "older"


@pytest.mark.parametrize(
    ("options", "subjects"),
    [
        (["--since", "2023-11-14T22:13:21Z"], ["b", "c"]),
        (["--until", "2023-11-14T22:13:21Z"], ["a"]),
        (["--source", "shell"], ["b"]),
        (["--kind", "file.delete"], ["c"]),
    ],
)
def test_each_filter_filters(cli: Cli, root: Root, options: list[str], subjects: list[str]) -> None:
    store(root, event(0, "a"), event(1, "b", "shell"), event(2, "c", kind="file.delete"))

    assert [
        item["subject"] for item in cli("events", "--json", *options).document["items"]
    ] == subjects


@pytest.mark.parametrize(
    "options", [["--since", "yesterday"], ["--until", "?"], ["--cursor", "7"], ["--limit", "0"]]
)
def test_a_wrong_option_is_wrong_usage(cli: Cli, root: Root, options: list[str]) -> None:
    store(root, event(0))

    assert cli("events", *options).code == 2


def test_a_line_holds_no_control_character(cli: Cli, root: Root) -> None:
    store(root, event(0, "a\x1b[2Jb"))

    assert cli("events").out == "2023-11-14 22:13:20  files       file.modify       a\ufffd[2Jb\n"


@pytest.mark.slow
def test_follow_goes_on_with_what_arrives(root: Root) -> None:
    store(root, event(0, "first"))
    with subprocess.Popen(
        [*SELFLOW, "events", "tail", "--json"], stdout=subprocess.PIPE, env=os.environ
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        store(root, event(1, "second"), batch_id=2)
        second = json.loads(process.stdout.readline())
        process.terminate()

    assert (first["subject"], second["subject"]) == ("first", "second")


def test_logs_shows_the_last_lines_of_each(cli: Cli, root: Root) -> None:
    (root.log / "buffer.log").write_text("1\n2\n3\n")
    (root.log / "collector.log").write_text("c\n")

    assert cli("logs", "--lines", "2").out == "==> buffer <==\n2\n3\n==> collector <==\nc\n"
    assert cli("logs", "coll", "--json").document["items"] == [
        {"name": "collector", "path": str(root.log / "collector.log"), "lines": ["c"]}
    ]


def test_logs_shows_what_ray_keeps(cli: Cli, root: Root) -> None:
    folder = root.run / "ray" / "session_latest" / "logs"
    (folder / "serve").mkdir(parents=True)
    (folder / "raylet.out").write_text("r\n")
    (folder / "serve" / "replica.log").write_text("s\n")
    (folder / "empty.err").write_text("")

    assert [item["name"] for item in cli("logs", "ray", "--json").document["items"]] == [
        "ray/raylet.out",
        "ray/serve/replica.log",
    ]


def test_an_unknown_log_names_those_there_are(cli: Cli, root: Root) -> None:
    (root.log / "buffer.log").write_text("1\n")
    ended = cli("logs", "nope")

    assert ended.code == 2
    assert "logs: buffer" in ended.err


def test_a_rotated_log_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("one\ntwo\nhal")
    offset, fresh = _read_on(log, 4)
    log.write_text("a\n")

    assert (offset, fresh) == (8, ["two"])
    assert _read_on(log, offset) == (2, ["a"])


@pytest.mark.slow
def test_follow_with_json_prints_one_document_per_line(root: Root) -> None:
    log = root.log / "x.log"
    log.write_text("first\n")
    with subprocess.Popen(
        [*SELFLOW, "logs", "--follow", "--json"], stdout=subprocess.PIPE, env=os.environ
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        with log.open("a") as file:
            file.write("second\n")
        second = json.loads(process.stdout.readline())
        process.terminate()

    assert (first, second) == ({"name": "x", "line": "first"}, {"name": "x", "line": "second"})
