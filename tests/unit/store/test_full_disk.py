"""A disk that is full, then has room again; and one that is read-only."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from selflow.core.disk import storage_problem
from selflow.core.errors import STORAGE_FULL, StoreError
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.reading import CatalogReader
from selflow.store.spool import Spool
from tests.small_disk import SmallDisk, small_disk
from tests.unit.store.worlds import open_log, record


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 24 << 20) as made:
        yield made


def refused(error: pytest.ExceptionInfo[StoreError]) -> tuple[str, int, bool]:
    return error.value.code, error.value.status, "free some space" in error.value.hint


FULL = ("storage_full", 503, True)


def test_a_full_disk_is_a_state_that_ends_with_room(disk: SmallDisk) -> None:
    store, spool = ArtifactStore(disk.path / "artifacts"), Spool(disk.path / "spool", 1 << 30)
    log = open_log(disk.path / "events")
    with Catalog.open(disk.path / "catalog.db") as catalog:
        catalog.consents.grant("files", {}, 1, "owner")
        disk.fill()
        with pytest.raises(StoreError) as by_catalog:
            catalog.consents.grant("shell", {"padding": "x" * (1 << 20)}, 2, "owner")
        with pytest.raises(StoreError) as by_artifacts:
            store.put({"a": b"x" * (1 << 20)})
        with pytest.raises(StoreError) as by_spool:
            spool.put("files", 1, [b"x" * (1 << 20)])
        with pytest.raises(StoreError) as by_log:
            log.append("files", 1, [record(n, padding_bytes=60_000) for n in range(40)])

        for each in (by_catalog, by_artifacts, by_spool, by_log):
            assert refused(each) == FULL
        assert "No space left on device; free some space" in storage_problem(disk.path)
        assert "files" in [
            each.source for each in CatalogReader(disk.path / "catalog.db").consents()
        ]
        disk.free()
        assert storage_problem(disk.path) == ""
        catalog.consents.grant("ingest", {}, 3, "owner")
        store.put({"a": b"x" * (1 << 20)})
        log.append("files", 1, [record(n, padding_bytes=60_000) for n in range(40)])
        assert log.fill().events == 40
        assert catalog.audit.verify().fault == ""
    log.close()
    spool.close()


def test_a_read_only_disk_still_answers_what_needs_no_storing(disk: SmallDisk) -> None:
    with Catalog.open(disk.path / "catalog.db") as catalog:
        catalog.consents.grant("files", {}, 1, "owner")
    disk.remount("ro")
    assert "Read-only file system" in storage_problem(disk.path)
    disk.remount("rw")

    assert storage_problem(disk.path) == ""


def test_looking_for_room_leaves_nothing_behind(tmp_path: Path) -> None:
    assert storage_problem(tmp_path) == ""
    assert list(tmp_path.iterdir()) == []
    assert storage_problem(tmp_path / "absent") == ""


def test_a_full_disk_is_told_across_processes() -> None:
    error = StoreError("no room", "free some space", STORAGE_FULL)
    again = pickle.loads(pickle.dumps(error))

    assert (again.code, again.status, again.hint) == ("storage_full", 503, error.hint)
