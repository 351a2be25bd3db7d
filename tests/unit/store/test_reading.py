import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from selflow.core.errors import StoreError
from selflow.core.health import Health
from selflow.core.ingest_counts import IngestCounts
from selflow.core.session_files import ProcessRecord
from selflow.store.catalog import Catalog
from selflow.store.reading import CatalogReader
from selflow.store.records import Artifact, Decision, Import
from selflow.store.session_facts import SessionFacts

SUPERVISOR = Health("supervisor", "0.1.0", "abc", 7, 1, "ok", 3, "", 65_000_000)


def _filled(path: Path) -> Catalog:
    catalog = Catalog.open(path)
    catalog.consents.grant("files", {"paths": ["/w"]}, 1, "owner")
    catalog.facts.begin(SessionFacts(is_serving=True), 1)
    catalog.services.put(SUPERVISOR, 1, 50_000_000)
    catalog.predictors.promote(Artifact("a" * 64, "pool", 10, {}), [], 5, {"hit_at_5": 0.5}, 1)
    catalog.decisions.record(Decision("dec_1", 1, "pool", 9, [{"p": 0.5}], [], None))
    catalog.decisions.record(
        Decision("dec_2", 2, "pool", 9, [], [{"id": "order1"}], [{"kind": "x"}])
    )
    catalog.feedback.record("dec_2", "accepted", 1, {}, 3)
    catalog.imports.start("events.csv", "e" * 64, "csv", 1)
    return catalog


def test_the_light_reader_sees_what_the_catalog_wrote_while_it_is_open(tmp_path: Path) -> None:
    reader = CatalogReader(tmp_path / "catalog.db")
    with closing(_filled(tmp_path / "catalog.db")) as catalog:
        assert reader.services() == catalog.services.list_all()
        assert reader.consents() == catalog.consents.list_all()
        assert reader.facts() == catalog.facts.read()
        assert reader.champion() == catalog.predictors.champion()
        assert reader.newest(Import, 9) == catalog.imports.list_all()
        assert reader.newest(Decision, 9) == [
            catalog.decisions.find("dec_2"),
            catalog.decisions.find("dec_1"),
        ]
        assert [each.id for each in reader.newest(Decision, 1)] == ["dec_2"]
        counts = reader.counts()
        assert (counts["decisions"], counts["feedback"], counts["imports"], counts["audit"]) == (
            2,
            1,
            1,
            1,
        )


def test_the_light_reader_reads_a_catalog_that_nobody_has_open(tmp_path: Path) -> None:
    _filled(tmp_path / "a #1%.db").close()

    assert CatalogReader(tmp_path / "a #1%.db").champion().upto_seq == 5


@pytest.mark.parametrize(
    "facts",
    [
        SessionFacts(),
        SessionFacts(
            True,
            64_000_000,
            0.5,
            (ProcessRecord("ray::Serve", 7, 1_700_000_000_000_000),),
            IngestCounts({"shell": {"accepted": 3}}, {"counts": [1], "sum_s": 0.5}),
        ),
    ],
)
def test_facts_read_the_same_through_both_doors(tmp_path: Path, facts: SessionFacts) -> None:
    with closing(Catalog.open(tmp_path / "catalog.db")) as catalog:
        catalog.facts.begin(facts, 1)

        assert catalog.facts.read() == facts
    assert CatalogReader(tmp_path / "catalog.db").facts() == facts


def test_a_fact_that_changes_leaves_the_others(tmp_path: Path) -> None:
    processes = [ProcessRecord("raylet", 7, 1), ProcessRecord("gcs_server", 8, 2)]
    with closing(Catalog.open(tmp_path / "catalog.db")) as catalog:
        catalog.facts.begin(SessionFacts(budget_bytes=5), 1)
        catalog.facts.set_processes(processes, 2)

    assert CatalogReader(tmp_path / "catalog.db").facts() == SessionFacts(
        budget_bytes=5, processes=tuple(processes)
    )


def test_an_absent_catalog_is_an_empty_answer_and_stays_absent(tmp_path: Path) -> None:
    reader = CatalogReader(tmp_path / "catalog.db")

    assert (reader.services(), reader.consents(), reader.facts(), reader.champion()) == (
        [],
        [],
        SessionFacts(),
        None,
    )
    assert (reader.newest(Decision, 1), reader.newest(Import, 1), reader.is_fresh(0)) == (
        [],
        [],
        False,
    )
    assert set(reader.counts().values()) == {0}
    assert list(tmp_path.iterdir()) == []


def test_the_light_reader_cannot_write(tmp_path: Path) -> None:
    _filled(tmp_path / "catalog.db").close()
    reader = CatalogReader(tmp_path / "catalog.db")
    with pytest.raises(StoreError, match="SQLITE_READONLY"):
        reader._rows("DELETE FROM consents")
    assert len(reader.consents()) == 1


def test_the_supervisor_is_fresh_for_thirty_seconds_after_it_wrote(tmp_path: Path) -> None:
    _filled(tmp_path / "catalog.db").close()
    reader = CatalogReader(tmp_path / "catalog.db")

    assert reader.is_fresh(50_000_000)
    assert reader.is_fresh(80_000_000)
    assert not reader.is_fresh(80_000_001)


@pytest.mark.parametrize("content", [b"no database " * 99, b""])
def test_what_is_no_catalog_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "catalog.db").write_bytes(content)
    with pytest.raises(StoreError, match="cannot read the catalog") as caught:
        CatalogReader(tmp_path / "catalog.db").services()
    assert "selflow up" in caught.value.hint


def test_the_light_readers_load_no_heavy_library() -> None:
    code = (
        "import sys, selflow.store.reading, selflow.store.log;"
        "print([name for name in ('sqlalchemy', 'alembic', 'pydantic', 'ray') if name in "
        "sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert said.stdout == "[]\n"
