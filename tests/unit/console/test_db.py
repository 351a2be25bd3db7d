"""``selflow db check``: damage is named, and what is whole is called whole."""

import sqlite3
from contextlib import closing

import lmdb
import pytest

from selflow.core.paths import Root
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.log_format import U64
from selflow.store.records import Artifact
from tests.unit.console.conftest import Cli
from tests.unit.store.worlds import START_US, open_log, record

FAULT_EXIT = 5


@pytest.fixture
def kept(root: Root) -> Root:
    """Nine events, three consumed and one deleted; a catalog with acts and an artifact."""
    with closing(open_log(root.events)) as log:
        log.append("s", 1, [record(n) for n in range(10)])
        log.consume(3)
        log.forget([5])
    sha256 = ArtifactStore(root.artifacts).put({"a.json": b"{}"})
    with Catalog.open(root.catalog) as catalog:
        catalog.audit.append(START_US, "owner", "test")
        catalog.predictors.promote(Artifact(sha256, "pool", 2, {}), [], 3, {}, START_US)
    return root


def _parts(cli: Cli) -> dict[str, tuple[int, list[str]]]:
    parts = cli("db", "check", "--json").document["parts"]
    return {part["part"]: (part["items"], part["faults"]) for part in parts}


def test_what_is_whole_is_called_whole(cli: Cli, kept: Root) -> None:
    ended = cli("db", "check", "--json")
    parts = {part["part"]: part["items"] for part in ended.document["parts"]}

    assert (ended.code, ended.document["ok"]) == (0, True)
    assert (parts["event log"], parts["artifacts"]) == (9, 1)
    assert parts["audit log"] >= 1
    assert parts["catalog"] > parts["audit log"]
    assert (kept.events / "data.mdb").exists()


def test_before_anything_is_kept_there_is_nothing_to_check(cli: Cli) -> None:
    assert cli("db", "check", "--json").document == {"ok": True, "parts": []}


@pytest.mark.parametrize(
    ("table", "key", "value", "says"),
    [
        (b"log", U64.pack(7), b"\0" * 9, "events 7 cannot be decoded"),
        (b"log", U64.pack(9), record(77), "events 9 cannot be found by their time"),
        (b"log", U64.pack(12), record(11), "event 12 lies behind the last number, 10"),
        (b"meta", b"buffer_bytes", U64.pack(1), "bytes in the buffer: 1 are noted"),
        (b"meta", b"new_gone", U64.pack(0), "events deleted from the buffer: 0 are noted, 1"),
        (b"times", U64.pack(1) + U64.pack(2), b"", "10 times of 9 events"),
    ],
    ids=["broken", "moved", "beyond", "bytes", "gone", "times"],
)
def test_damage_of_the_log_is_named(
    cli: Cli, kept: Root, table: bytes, key: bytes, value: bytes, says: str
) -> None:
    with lmdb.open(str(kept.events), max_dbs=5, map_size=1 << 20) as env:
        opened = env.open_db(table)
        with env.begin(write=True) as txn:
            txn.put(key, value, db=opened)

    ended = cli("db", "check")
    assert ended.code == FAULT_EXIT
    assert says in ended.out


def test_a_changed_artifact_is_named_and_a_missing_one(cli: Cli, kept: Root) -> None:
    (folder,) = (path for path in kept.artifacts.iterdir() if path.is_dir())
    (folder / "a.json").chmod(0o600)
    (folder / "a.json").write_text("[]")

    assert "was changed on disk" in _parts(cli)["artifacts"][1][0]
    folder.chmod(0o700)
    (folder / "a.json").unlink()
    folder.rmdir()
    assert "there is no artifact" in _parts(cli)["artifacts"][1][0]


def test_a_broken_catalog_is_named_and_nothing_else_is_read_from_it(cli: Cli, kept: Root) -> None:
    kept.catalog.write_bytes(b"no database" * 100)
    for name in ("catalog.db-wal", "catalog.db-shm"):
        (kept.path / name).unlink(missing_ok=True)
    parts = _parts(cli)

    assert "SQLITE_NOTADB" in parts["catalog"][1][0]
    assert parts.keys() == {"event log", "catalog"}


def test_a_row_that_names_a_row_that_is_gone_is_a_fault(cli: Cli, kept: Root) -> None:
    with closing(sqlite3.connect(kept.catalog)) as connection:
        connection.execute("DELETE FROM artifacts")
        connection.commit()

    assert any("names a row of artifacts" in fault for fault in _parts(cli)["catalog"][1])


def test_a_changed_act_is_a_fault(cli: Cli, kept: Root) -> None:
    with closing(sqlite3.connect(kept.catalog)) as connection:
        connection.execute("UPDATE audit SET subject = 'x' WHERE action = 'test'")
        connection.commit()

    assert _parts(cli)["audit log"][1]
