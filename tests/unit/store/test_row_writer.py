"""Single rows by the bare driver: as the catalog writes them, or not at all."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from selflow.core.errors import StoreError
from selflow.store.catalog import Catalog
from selflow.store.command_records import Command
from selflow.store.pattern_records import Transition
from selflow.store.reading import CatalogReader
from selflow.store.records import Cycle
from selflow.store.row_writer import writing

COMMAND = Command("cmd_1", "pattern.edit", "näme", {"title": "%s ?"}, "owner", "queued", 7)
CYCLE = Cycle("cyc_1", "owner", "done", 1, 1, 2, 3, 1)


def test_a_row_is_read_back_as_it_was_written_with_its_audit_entry(tmp_path: Path) -> None:
    with closing(Catalog.open(tmp_path / "catalog.db")) as catalog:
        for number in (1, 2):
            with writing(tmp_path / "catalog.db") as rows:
                rows.audit(number, "owner", "test", "x", {"a": [1, None]})
        with writing(tmp_path / "catalog.db") as rows:
            rows.insert(COMMAND)

        assert catalog.commands.open() == [COMMAND]
        assert (catalog.audit.verify().entries, catalog.audit.verify().fault) == (2, "")


def write_twice(path: Path) -> None:
    with writing(path) as rows:
        rows.audit(1, "owner", "test")
        rows.insert(COMMAND)
        rows.insert(COMMAND)


def test_what_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with closing(Catalog.open(tmp_path / "catalog.db")) as catalog:
        with pytest.raises(StoreError, match="nothing was stored"):
            write_twice(tmp_path / "catalog.db")

        assert catalog.commands.open() == []
        assert catalog.audit.verify().entries == 0


def test_a_catalog_that_is_missing_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreError), writing(tmp_path / "catalog.db"):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_column_may_be_named_like_a_word_of_sql(tmp_path: Path) -> None:
    Catalog.open(tmp_path / "catalog.db").close()
    split = Transition("cyc_1", "edit", "split", ["edit-a", "edit-b"], 0.5)
    absorbed = replace(split, change="absorbed", into=["edit-a"])
    with writing(tmp_path / "catalog.db") as rows:
        rows.insert(CYCLE)
        rows.insert(split)
        rows.update(absorbed)

    assert CatalogReader(tmp_path / "catalog.db").learned(Transition) == [absorbed]
