"""``selflow eval stream``: a file alone, nothing running, nothing written."""

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest

from selflow.collect import tables
from selflow.console.cli import evaluate
from selflow.core.paths import Root
from tests.unit.console.conftest import Cli

ROWS = [(second, f"u{second % 2}", f"c{second // 3}", f"ls /{second % 3}") for second in range(60)]
STREAM = ("eval", "stream")
COLUMNS = ("--time", "when", "--label", "what")


@pytest.fixture
def table(tmp_path: Path) -> str:
    lines = ["when,who,commit,what", *(f"{1_700_000_000 + s},{u},{c},{w}" for s, u, c, w in ROWS)]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    return str(tmp_path / "t.csv")


def test_the_document_names_pool_experts_and_baselines(cli: Cli, table: str) -> None:
    experts = cli(*STREAM, table, *COLUMNS, "--json").document["experts"]

    assert set(experts) >= {
        "pool",
        "most_frequent",
        "most_recent",
        "markov1",
        "markov2",
        "ipam",
        "rrf",
    }
    assert set(experts["pool"]) == {"steps", "hit@1", "hit@5", "log_loss_bits", "ece"}
    assert experts["pool"]["steps"] == 60
    assert 0 <= experts["pool"]["hit@1"] <= experts["pool"]["hit@5"] <= 1


def test_without_json_it_is_a_table(cli: Cli, table: str) -> None:
    header, first, *_ = cli(*STREAM, table, *COLUMNS).out.splitlines()

    assert header.split() == ["expert", "steps", "hit@1", "hit@5", "log_loss_bits", "ece"]
    assert first.split()[:2] == ["pool", "60"]


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        (["--group", "commit"], 20),
        (["--user", "who"], 60),
        (["--program", "--mode", "switch"], 1),
        ([], 60),
    ],
)
def test_each_option_changes_what_is_judged(
    cli: Cli, table: str, options: list[str], steps: int
) -> None:
    assert (
        cli(*STREAM, table, *COLUMNS, *options, "--json").document["experts"]["pool"]["steps"]
        == steps
    )


def test_users_have_pasts_of_their_own(cli: Cli, table: str) -> None:
    alone = cli(*STREAM, table, *COLUMNS, "--json").document["experts"]["pool"]
    apart = cli(*STREAM, table, *COLUMNS, "--user", "who", "--json").document["experts"]["pool"]

    assert alone != apart


def test_gzip_and_json_lines_say_the_same_as_csv(cli: Cli, table: str, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "t.jsonl.gz", "wt") as file:
        file.writelines(
            json.dumps({"when": 1_700_000_000 + s, "what": w}) + "\n" for s, _, _, w in ROWS
        )

    assert (
        cli(*STREAM, str(tmp_path / "t.jsonl.gz"), *COLUMNS).out
        == cli(*STREAM, table, *COLUMNS).out
    )


def test_nothing_is_written_below_the_root(cli: Cli, root: Root, table: str) -> None:
    before = sorted(root.path.rglob("*"))
    cli(*STREAM, table, *COLUMNS)

    assert sorted(root.path.rglob("*")) == before


def test_rows_without_a_moment_or_a_label_are_left_out_and_counted(cli: Cli, table: str) -> None:
    with Path(table).open("a") as file:
        file.write("never,u,c,x\n1700009999,u,c,\n")
    ended = cli(*STREAM, table, *COLUMNS, "--json")

    assert ended.document["experts"]["pool"]["steps"] == 60
    assert ended.err.startswith("2 rows skipped")


def bomb(folder: Path) -> Path:
    """A small file that unpacks to a million rows."""
    path = folder / "bomb.csv.gz"
    with gzip.open(path, "wb") as file:
        file.write(b"when,what\n" + b"1,a\n" * 1_000_000)
    return path


def test_a_small_file_of_too_many_rows_is_refused_in_little_memory(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "MAX_ROWS", 3_000)
    path = bomb(tmp_path)
    tracemalloc.start()
    try:
        ended = cli(*STREAM, str(path), *COLUMNS)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert path.stat().st_size < 10_000
    assert (ended.code, ended.out) == (2, "")
    assert "bomb.csv.gz holds more than 3,000 rows" in ended.err
    assert peak_bytes < 8_000_000


def test_a_file_that_unpacks_to_too_much_is_refused(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_UNPACKED_BYTES", 100_000)
    path = bomb(tmp_path)
    ended = cli(*STREAM, str(path), *COLUMNS)

    assert (ended.code, ended.out) == (2, "")
    assert "bomb.csv.gz unpacks to more than 100,000 bytes" in ended.err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("/nowhere.csv", *COLUMNS), "cannot read /nowhere.csv"),
        (("{table}", "--time", "when", "--label", "nope"), "has no column nope"),
        (("{table}", "--time", "when"), "Missing option '--label'"),
        (("{table}", *COLUMNS, "--mode", "some"), "'some' is not one of 'all', 'switch'"),
    ],
)
def test_what_cannot_be_judged_is_named(
    cli: Cli, table: str, args: tuple[str, ...], said: str
) -> None:
    ended = cli(*STREAM, *(arg.format(table=table) for arg in args))

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_an_empty_stream_is_named(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("when,what\n")
    ended = cli(*STREAM, str(tmp_path / "e.csv"), *COLUMNS)

    assert ended.code == 2
    assert "no events" in ended.err
