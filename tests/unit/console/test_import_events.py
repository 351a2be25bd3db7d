"""``selflow import`` and ``selflow replay`` through a real ingest server and a real log."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selflow.core.paths import Root
from selflow.store.catalog import Catalog
from selflow.testing import MemoryLog
from tests.unit.console.conftest import Cli
from tests.unit.console.test_import_batches import BASE_US, serving

CSV = (
    "when,path,commit,size\n1700000000,a.py,c1,7\n1700000000,b.py,c1,8\n"
    "never,c.py,c1,9\n1700000060,a.py,c2,7\n"
)


@pytest.fixture
def log(root: Root) -> Iterator[MemoryLog]:
    catalog = Catalog.open(root.catalog)
    catalog.consents.grant("import", {}, BASE_US, "owner")
    catalog.close()
    made = MemoryLog()
    with serving(made, root):
        yield made


@pytest.fixture
def table(tmp_path: Path) -> str:
    (tmp_path / "t.csv").write_text(CSV)
    return str(tmp_path / "t.csv")


def stored(log: MemoryLog) -> list[tuple[str, str, str, dict[str, Any]]]:
    return [
        (e.event.source, e.event.kind, e.event.subject, dict(e.event.data))
        for e in log.read(0, 100)
    ]


def test_csv_needs_a_column_map_and_keeps_to_it(cli: Cli, log: MemoryLog, table: str) -> None:
    options = ["--map", "ts=when", "--map", "subject=path", "--map", "step=commit"]

    assert cli("import", "csv", table).code == 2
    ended = cli("import", "csv", table, *options)
    assert ended.code == 0
    assert "3 events stored, 0 already stored" in ended.out
    assert "1 rows skipped; the first: line 4" in ended.err
    assert stored(log)[0] == ("table", "table.row", "a.py", {"step": "c1"})


def test_source_kind_and_rest_are_what_is_stored(cli: Cli, log: MemoryLog, table: str) -> None:
    options = [
        "--map",
        "ts=when",
        "--map",
        "subject=path",
        "--source",
        "mine",
        "--kind",
        "file.modify",
        "--rest",
    ]
    cli("import", "csv", table, *options)

    assert stored(log)[0] == ("mine", "file.modify", "a.py", {"commit": "c1", "size": "7"})


def test_jsonl_in_our_shape_needs_no_map(cli: Cli, log: MemoryLog, tmp_path: Path) -> None:
    row = {"ts": "2026-01-01T00:00:00Z", "kind": "note", "subject": "x"}
    (tmp_path / "e.jsonl").write_text(json.dumps(row) + "\n")

    assert cli("import", "jsonl", str(tmp_path / "e.jsonl"), "--json").document["accepted"] == 1
    assert stored(log) == [("table", "note", "x", {})]


def test_shell_history_and_a_repository_come_in(cli: Cli, log: MemoryLog, tmp_path: Path) -> None:
    (tmp_path / "history").write_text("ls\ngit status\n")
    repository = tmp_path / "repo"
    identity = [
        "-c",
        "user.name=u",
        "-c",
        "user.email=u@example.org",
        "-c",
        "init.defaultBranch=main",
    ]
    subprocess.run(["git", *identity, "init", "-q", str(repository)], check=True)
    (repository / "a.py").write_text("1")
    subprocess.run(["git", *identity, "-C", str(repository), "add", "."], check=True)
    subprocess.run(["git", *identity, "-C", str(repository), "commit", "-qm", "c"], check=True)

    assert cli("import", "shell", str(tmp_path / "history"), "--json").document["accepted"] == 2
    assert cli("import", "git", str(repository), "--json").document["accepted"] == 1
    assert [kind for _, kind, _, _ in stored(log)] == [
        "shell.command",
        "shell.command",
        "file.create",
    ]


def test_a_shell_history_cut_at_its_front_adds_what_is_new(
    cli: Cli, log: MemoryLog, tmp_path: Path
) -> None:
    commands = [f"command {number}\n" for number in range(9)]
    for part in (commands[:6], commands[2:]):
        (tmp_path / "history").write_text("".join(part))
        ended = cli("import", "shell", str(tmp_path / "history"))

    assert ended.out == "3 events stored, 4 already stored\n"
    assert [subject for _, _, subject, _ in stored(log)] == [line.strip() for line in commands]


def test_a_dry_run_counts_and_sends_nothing(cli: Cli, root: Root, table: str) -> None:
    document = cli(
        "import", "csv", table, "--map", "ts=when", "--map", "subject=path", "--dry-run", "--json"
    ).document

    assert document == {
        "path": table,
        "dry_run": True,
        "events": 3,
        "kinds": {"table.row": 3},
        "first": "2023-11-14T22:13:20.000000Z",
        "last": "2023-11-14T22:14:20.000000Z",
        "bad_rows": 1,
    }
    assert not root.catalog.exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("import", "tape", "x"), "'tape' is not one of"),
        (("import", "csv", "/nowhere.csv", "--map", "ts=a"), "cannot read /nowhere.csv"),
        (("import", "csv", "{table}", "--map", "ts=nope"), "no column nope"),
        (("import", "csv", "{table}", "--map", "nope"), "invalid column map"),
        (("import", "git", ".", "--rest"), "--rest does not apply to git"),
        (("import", "git", "."), "not a git repository"),
        (("replay", "{table}", "--time", "when", "--label", "nope"), "no column nope"),
        (
            ("replay", "{table}", "--time", "when", "--label", "path", "--speed", "-1"),
            "invalid speed: -1",
        ),
    ],
)
def test_what_cannot_be_is_named(
    cli: Cli, log: MemoryLog, table: str, args: tuple[str, ...], said: str
) -> None:
    ended = cli(*(arg.format(table=table) for arg in args))

    assert ended.code == 2
    assert said in ended.err
    assert stored(log) == []


def test_without_a_running_selflow_an_import_ends_with_three(cli: Cli, table: str) -> None:
    ended = cli("import", "csv", table, "--map", "ts=when")

    assert ended.code == 3
    assert "selflow up" in ended.err


def test_replay_sends_in_time_order_with_label_group_and_kind(
    cli: Cli, log: MemoryLog, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("when,path,commit\n1700000060,late,c2\n1700000000,early,c1\n")
    options = ["--time", "when", "--label", "path", "--group", "commit", "--kind", "file.modify"]
    ended = cli("replay", str(tmp_path / "t.csv"), *options, "--speed", "1e6")

    assert ended.code == 0
    assert stored(log) == [
        ("replay", "file.modify", "early", {"step": "c1"}),
        ("replay", "file.modify", "late", {"step": "c2"}),
    ]
