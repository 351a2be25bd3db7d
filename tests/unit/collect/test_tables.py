"""Tables: named columns or a clear refusal; a bad row is counted by its line and never shown."""

import gzip
import json
import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

from selflow.collect import tables
from selflow.collect.importers.table import ColumnMap, import_table
from selflow.collect.progress import Progress
from selflow.collect.tables import read_rows
from selflow.core.errors import UsageError
from selflow.core.events import Event

HEADER = "when,what,where,who,n\n"


def _csv(folder: Path, body: str, name: str = "t.csv") -> Path:
    path = folder / name
    content = (HEADER + body).encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_rows_come_with_their_names_and_lines(tmp_path: Path, name: str) -> None:
    progress = Progress()
    path = _csv(tmp_path, '1,a,"two\nlines",x,1\n2,b,c,d,2\n', name)
    rows = list(read_rows(path, ["when", "where"], progress))

    assert [(row.line, row.values["when"], row.values["where"]) for row in rows] == [
        (2, "1", "two\nlines"),
        (4, "2", "c"),
    ]
    assert (progress.rows, progress.bad_rows) == (2, 0)
    assert progress.done == progress.total == path.stat().st_size


@pytest.mark.parametrize("name", ["t.jsonl", "t.ndjson", "t.jsonl.gz"])
def test_json_lines_keep_their_types(tmp_path: Path, name: str) -> None:
    content = b'{"a": 1, "b": [2.5, null]}\n\n{"a": "x"}\n'
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)

    assert [(row.line, row.values) for row in read_rows(tmp_path / name, ["b"], Progress())] == [
        (1, {"a": 1, "b": [2.5, None]}),
        (3, {"a": "x"}),
    ]


@pytest.mark.parametrize(
    "content", [HEADER, '{"when": 1, "what": 2}\n{"where": 3, "who": 4, "n": 5}\n']
)
def test_an_unknown_column_is_named_with_those_that_are_there(tmp_path: Path, content: str) -> None:
    path = tmp_path / ("t.csv" if content == HEADER else "t.jsonl")
    path.write_text(content)

    with pytest.raises(UsageError, match="has no column wenn") as caught:
        read_rows(path, ["when", "wenn"], Progress())

    assert caught.value.hint == "its columns: when, what, where, who, n"


def test_rows_that_cannot_be_used_are_counted_by_line(tmp_path: Path) -> None:
    csv_progress, json_progress = Progress(), Progress()
    rows = list(read_rows(_csv(tmp_path, "1,a\n\n2,b,c,d,e\n1,2,3,4,5,6\n"), [], csv_progress))
    (tmp_path / "t.jsonl").write_text('{"a": 1}\nnot json\n[1]\n' + "[" * 100_000 + '\n{"a": 2}\n')
    objects = list(read_rows(tmp_path / "t.jsonl", ["a"], json_progress))

    assert ([row.values["what"] for row in rows], csv_progress.bad_lines) == (["b"], [2, 5])
    assert ([row.line for row in objects], json_progress.bad_lines) == ([1, 5], [2, 3, 4])


def test_a_field_beyond_all_bounds_is_a_bad_row_and_the_next_one_is_read(tmp_path: Path) -> None:
    progress = Progress()
    rows = list(read_rows(_csv(tmp_path, f"1,{'x' * 200_000},c,d,e\n2,b,c,d,e\n"), [], progress))

    assert ([row.values["when"] for row in rows], progress.bad_lines) == (["2"], [2])


def test_a_small_file_that_unpacks_to_gigabytes_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_UNPACKED_BYTES", 60_000_000)
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb") as file:
        file.write(b'{"a": 1}\n')
        for _ in range(64):
            file.write(b" " * 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(
            UsageError, match=r"bomb\.jsonl\.gz unpacks to more than 60,000,000 bytes"
        ):
            list(read_rows(path, ["a"], Progress()))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak_bytes < 15_000_000


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl"])
def test_a_line_too_long_for_any_event_is_a_bad_row(tmp_path: Path, name: str) -> None:
    head, row = ("a\n", "1\n") if name == "t.csv" else ('{"a": 0}\n', '{"a": "1"}\n')
    (tmp_path / name).write_text(head + row + "x" * 2_500_000 + "\n" + row)
    progress = Progress()
    rows = list(read_rows(tmp_path / name, ["a"], progress))

    assert [each.values["a"] for each in rows][-2:] == ["1", "1"]
    assert (progress.bad_rows, progress.bad_lines) == (1, [3])


def test_no_more_than_a_hundred_bad_lines_are_named(tmp_path: Path) -> None:
    progress = Progress()
    list(read_rows(_csv(tmp_path, "x\n" * 500), [], progress))

    assert (progress.bad_rows, len(progress.bad_lines)) == (500, 100)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.csv", "cannot read .*missing.csv: No such file or directory"),
        ("folder.csv", "cannot read .*folder.csv: Is a directory"),
        ("t.xlsx", "neither CSV nor JSON nor Parquet"),
        ("cut.csv.gz", "cut.csv.gz is damaged after row"),
        ("no.csv.gz", "no.csv.gz is damaged after row 0"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_clear_error(
    tmp_path: Path, name: str, says: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    body = "".join(f"{place},{place * 7919},c,d,e\n" for place in range(20_000))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress((HEADER + body).encode())[:-5_000])
    (tmp_path / "no.csv.gz").write_bytes(b"this is not gzip")

    with pytest.raises(UsageError, match=says):
        list(read_rows(tmp_path / name, [], Progress()))


def test_an_empty_file_has_no_rows_and_no_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("")

    assert list(read_rows(tmp_path / "t.csv", [], Progress())) == []
    with pytest.raises(UsageError, match="has no column a"):
        read_rows(tmp_path / "t.csv", ["a"], Progress())


def test_rows_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    progress = Progress()
    rows = read_rows(_csv(tmp_path, "1,a,b,c,d\n" * 100_000), [], progress)
    next(rows)

    assert progress.rows <= 2
    assert progress.done < progress.total / 4


def test_a_column_map_makes_events(tmp_path: Path) -> None:
    columns = ColumnMap.parse(
        ["ts=when", "kind=what", "subject=where", "app=who", "duration_s=n"], rest=True
    )
    path = _csv(tmp_path, "1500000000,file.modify,/w/a,vim,2.5\n2020-01-01T00:00:00Z,,,,\n")

    assert list(import_table(path, columns, "old", Progress())) == [
        Event(1_500_000_000_000_000, "old", "file.modify", "/w/a", "vim", 2.5),
        Event(1_577_836_800_000_000, "old", "table.row"),
    ]


def test_a_step_and_the_rest_go_into_data(tmp_path: Path) -> None:
    columns = ColumnMap.parse(["ts=when", "step=who"], rest=True)
    event = next(import_table(_csv(tmp_path, "1,a,b,c7,d\n"), columns, "old", Progress()))

    assert event.data == {"what": "a", "where": "b", "n": "d", "step": "c7"}
    assert next(import_table(tmp_path / "t.csv", ColumnMap("when"), "old", Progress())).data == {}


@pytest.mark.parametrize(
    ("value", "ts_us"),
    [
        ("1500000000", 1_500_000_000_000_000),
        ("1500000000.25", 1_500_000_000_250_000),
        (1_500_000_000_123, 1_500_000_000_123_000),
        ("1500000000123456", 1_500_000_000_123_456),
        ("2021-09-09T07:18:27.246Z", 1_631_171_907_246_000),
        ("2020-05-14 13:04:19+02:00", 1_589_454_259_000_000),
    ],
)
def test_moments_are_read_in_the_forms_that_tables_use(
    tmp_path: Path, value: object, ts_us: int
) -> None:
    (tmp_path / "t.jsonl").write_text(json.dumps({"when": value}))

    assert [
        each.ts_us
        for each in import_table(tmp_path / "t.jsonl", ColumnMap("when"), "s", Progress())
    ] == [ts_us]


@pytest.mark.parametrize(
    "row",
    [
        {"when": "yesterday", "n": 1},
        {"when": None, "n": 1},
        {"when": True, "n": 1},
        {"when": [1], "n": 1},
        {"when": -5, "n": 1},
        {"when": 1, "n": "long"},
        {"when": 1, "n": -1},
        {"when": 1, "n": [1]},
        {"when": 1, "n": 1, "x": 1 << 70},
        {"when": 1, "n": 1, "x": "\ud800"},
    ],
    ids=str,
)
def test_a_row_that_makes_no_event_is_counted_and_the_others_are_events(
    tmp_path: Path, row: object
) -> None:
    good = {"when": 1, "n": 1}
    progress = Progress()
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, [good, row, good])))
    columns = ColumnMap("when", duration_s="n", rest=True)

    assert len(list(import_table(tmp_path / "t.jsonl", columns, "s", progress))) == 2
    assert (progress.bad_rows, progress.bad_lines) == (1, [2])


@pytest.mark.parametrize(
    "pairs", [["ts"], ["ts="], ["ts=a", "ts=b"], ["ts=a", "user=b"], ["kind=a"], []]
)
def test_a_column_map_that_says_nothing_clear_is_refused(pairs: list[str]) -> None:
    with pytest.raises(UsageError, match=r"invalid column map|has no ts"):
        ColumnMap.parse(pairs)


def test_parquet_rows_are_json(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    table = {"when": [moment], "n": [Decimal("1.5")], "raw": [b"x"], "list": [[{"a": 1}]]}
    write_table(pa.table(table), path)
    reading = Progress()

    assert [row.values for row in read_rows(path, ["when"], reading)] == [
        {"when": "2026-01-02T03:04:05.678901+00:00", "n": 1.5, "list": [{"a": 1}]}
    ]
    assert (reading.done, reading.total, reading.rows) == (1, 1, 1)
    with pytest.raises(UsageError, match="no column raw"):
        read_rows(path, ["raw"], Progress())


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.parquet", b"PAR1 and no more", "cannot read .* as Parquet"),
        ("t.json", b"{", "t.json is not JSON"),
        ("t.json", b'{"a": 1}', "is not a list of objects"),
        ("t.json", b"[" * 100_000, "t.json is not JSON"),
        ("t.json", b'[{"b": 1}]', "has no column a"),
    ],
)
def test_a_file_of_another_shape_is_one_clear_error(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(UsageError, match=says):
        list(read_rows(tmp_path / name, ["a"], Progress()))


def test_a_json_list_has_rows_by_place_and_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.json"
    path.write_text('[{"a": 1},\n 7, {"a": 2}]')
    reading = Progress()

    assert [row.line for row in read_rows(path, ["a"], reading)] == [1, 3]
    assert reading.bad_lines == [2]
    monkeypatch.setattr(tables, "MAX_JSON_CHARS", 10)
    with pytest.raises(UsageError, match="more than 10 characters"):
        read_rows(path, ["a"], Progress())
