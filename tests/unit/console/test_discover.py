"""``selflow discover``: a file alone, and a label for each of its rows."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from selflow.console.cli import discover as command
from selflow.core.table_clusters import TableClusters
from tests.unit.console.conftest import Cli

ROWS = 40
DOCUMENT = {
    "n": ROWS,
    "k": 1,
    "s_star": 0.5,
    "c_star": 0.5,
    "coverage": 1.0,
    "clusters": [{"id": 0, "size": ROWS, "j": 0.9}],
    "families": {"ward": {"k": 1.0, "ami": 1.0, "ari": 1.0}},
}


@pytest.fixture(autouse=True)
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What the rules are asked; they answer at once."""
    asked: dict[str, object] = {}

    def numbers(values: np.ndarray, seed: int, _show: object) -> TableClusters:
        asked.update(values=values, seed=seed)
        return TableClusters(DOCUMENT, range(len(values)), "")

    def events(steps: list[object], seed: int, _show: object) -> TableClusters:
        asked.update(steps=steps, seed=seed)
        return TableClusters(DOCUMENT, range(len(steps)), "")

    monkeypatch.setattr("selflow.discover.table.discover_numbers", numbers)
    monkeypatch.setattr("selflow.discover.table.discover_events", events)
    return asked


def labels(path: Path) -> list[tuple[str, str]]:
    with path.open() as file:
        return [(row["row"], row["label"]) for row in csv.DictReader(file)]


def test_the_document_is_printed_and_each_row_gets_a_line(cli: Cli, tmp_path: Path) -> None:
    table, out = tmp_path / "t.csv", tmp_path / "labels.csv"
    table.write_text("x,name,y\n" + "".join(f"{row},word,{row * row}\n" for row in range(ROWS)))
    ended = cli("discover", str(table), "--labels-out", str(out), "--json")

    assert ended.document == DOCUMENT
    assert labels(out) == [(str(row), str(row)) for row in range(ROWS)]
    assert "name" in ended.err


def test_rows_that_say_nothing_are_noise_in_their_place(
    cli: Cli, tmp_path: Path, seen: dict[str, object]
) -> None:
    table, out = tmp_path / "t.jsonl.gz", tmp_path / "labels.csv"
    rows = [json.dumps({"x": 1, "y": 2.0}), "{broken", json.dumps({"x": None}), '{"x": 3, "y": ""}']
    with gzip.open(table, "wt") as file:
        file.write("\n".join([*rows, *[json.dumps({"x": 5, "y": 6})] * 6]))
    ended = cli("discover", str(table), "--labels-out", str(out), "--seed", "4")

    assert [label for _, label in labels(out)][:5] == ["0", "-1", "-1", "1", "2"]
    values = seen["values"]
    assert isinstance(values, np.ndarray)
    assert values[1].tolist() == [3, (2 + 6 * 6) / 7]
    assert seen["seed"] == 4
    assert "1 cells" in ended.err


def test_columns_of_events_are_known_by_name(
    cli: Cli, tmp_path: Path, seen: dict[str, object]
) -> None:
    table, out = tmp_path / "t.csv", tmp_path / "labels.csv"
    good = "2024-01-01T10:00:00Z,ann,shell,ls /,home\n"
    rows = good + "never,ann,shell,ls,home\n" + good
    table.write_text("time,user,kind,line,folder\n" + rows)
    cli("discover", str(table), "--features", "events", "--labels-out", str(out))

    assert [label for _, label in labels(out)] == ["0", "-1", "1"]
    step, _ = seen["steps"]  # type: ignore[misc]
    assert (step.user, step.labels) == ("ann", ("shell\x1fls / home",))


@pytest.mark.parametrize(
    ("options", "text", "why"),
    [
        ((), "a,b\nx,y\n", "no column holds numbers"),
        (("--features", "events"), "a,b\nx,y\n", "no column holds times"),
        (("--columns", "c"), "a,b\n1,2\n", "no column c"),
        ((), "a,b\n" + "1\n" * 101, "invalid rows"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    cli: Cli, tmp_path: Path, options: tuple[str, ...], text: str, why: str
) -> None:
    table = tmp_path / "t.csv"
    table.write_text(text)
    ended = cli("discover", str(table), *options)

    assert ended.code == 2
    assert why in ended.err


def test_a_table_of_too_many_rows_is_refused(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "MAX_ROWS", 2)
    (tmp_path / "t.csv").write_text("a\n1\n2\n3\n")

    assert "more than 2 rows" in cli("discover", str(tmp_path / "t.csv")).err
