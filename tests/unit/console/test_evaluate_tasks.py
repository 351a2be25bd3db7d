"""``selflow eval tasks``: a file alone, nothing running, nothing written."""

import gzip
import json
from pathlib import Path

import pytest

from selflow.console.cli import evaluate_tasks
from tests.unit.console.conftest import Cli

COMMAND = ("eval", "tasks")
COLUMNS = ("--time", "noted", "--estimate", "est", "--actual", "took", "--tags", "tag")
STARTS = ("--created", "noted", "--started", "begun", "--completed", "done")


def _day(number: int) -> str:
    return f"2024-{1 + number // 28:02d}-{1 + number % 28:02d}"


@pytest.fixture
def table(tmp_path: Path) -> str:
    lines = ["noted,begun,done,est,took,tag,who,Priority"]
    for n in range(60):
        begun = _day(n + 3) if n % 3 == 0 else ""
        done = _day(n + 4) if n % 3 == 0 else ""
        lines.append(f"{_day(n)},{begun},{done},{1 + n % 3},{2 + n % 5},t{n % 2},u{n % 2},{n % 4}")
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    return str(tmp_path / "t.csv")


def test_the_document_has_both_parts(cli: Cli, table: str) -> None:
    document = cli(*COMMAND, table, *COLUMNS, *STARTS, "--json").document

    assert set(document) == {"duration", "next"}
    assert document["duration"]["model"]["n"] == 60
    assert document["next"]["priority"]["n"] > 10


def test_without_a_start_nothing_is_said_of_what_is_next(cli: Cli, table: str) -> None:
    document = cli(*COMMAND, table, *COLUMNS, "--json").document

    assert document["next"] == {}
    assert document["duration"]["own_estimate"]["coverage80"] is None


def test_without_json_it_is_tables(cli: Cli, table: str) -> None:
    out = cli(*COMMAND, table, *COLUMNS, *STARTS, "--completion").out

    assert [line.split()[0] for line in out.splitlines()] == [
        *("durations", "model", "model_without_estimate", "own_estimate", "median", "backoff"),
        *("started", "model", "newest_first", "priority", "smallest_first"),
        *("completed", "model", "shrunk", "recent"),
    ]


def test_a_packed_file_of_json_lines_says_the_same(cli: Cli, table: str, tmp_path: Path) -> None:
    header, *rows = Path(table).read_text().splitlines()
    names = header.split(",")
    lines = [json.dumps(dict(zip(names, row.split(","), strict=True))) for row in rows]
    packed = tmp_path / "t.jsonl.gz"
    packed.write_bytes(gzip.compress("\n".join(lines).encode()))

    documents = [
        cli(*COMMAND, str(f), *COLUMNS, *STARTS, "--json").document for f in (table, packed)
    ]

    assert documents[0] == documents[1]


def test_rows_and_cells_that_cannot_be_used_are_counted(cli: Cli, table: str) -> None:
    with Path(table).open("a") as file:
        file.write("never,,,1,1,t0,u0,1\n2024-05-01,soon,,-1,0,t0,u0,1\n")

    said = cli(*COMMAND, table, *COLUMNS, *STARTS).err

    assert "1 rows skipped: no time or invalid" in said
    assert "1 cells hold no moment" in said
    assert "2 durations are not above 0" in said


def test_completion_needs_its_column(cli: Cli, table: str) -> None:
    refused = cli(*COMMAND, table, *COLUMNS, "--completion")

    assert refused.code == 2
    assert "--completed" in refused.err


def test_a_table_that_is_too_long_is_refused(
    cli: Cli, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate_tasks, "MAX_TASKS", 10)

    assert "more than 10 rows" in cli(*COMMAND, table, *COLUMNS).err
