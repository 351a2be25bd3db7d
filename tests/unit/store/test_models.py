"""The tree of models, and what of it may be deleted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from selflow.core.errors import RefusedError, UsageError
from selflow.core.events import Json
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.models import answered_at, models_document
from selflow.store.reading import CatalogReader
from selflow.store.records import Artifact, Decision
from tests.unit.store.worlds import begun, register

Tree = Callable[[], list[tuple[str, str, str]]]


@pytest.fixture
def tree(catalog: Catalog, tmp_path: Path) -> Tree:
    def items() -> list[tuple[str, str, str]]:
        document = models_document(CatalogReader(tmp_path / "catalog.db"), tmp_path / "artifacts")
        return [(item["name"], item["status"], item["kept_because"]) for item in document["items"]]

    return items


def adopt(catalog: Catalog, sha256: str, name: str, now_us: int) -> None:
    cycle = begun(catalog, now_us)
    grown = Artifact(sha256, "base", 40, {})
    catalog.cycles.stage_done(cycle.id, f"base{now_us}", grown, [], {}, now_us)
    catalog.bases.adopt(sha256, name, cycle.id, now_us)
    catalog.cycles.finish(cycle.id, "done", "", now_us)


def test_versions_stand_below_their_base_with_the_reason_that_keeps_them(
    catalog: Catalog, tree: Tree
) -> None:
    assert tree() == []
    adopt(catalog, "b" * 64, "selflow-tiny", 5)
    register(catalog, "a", now_us=20)
    register(catalog, "c", now_us=30)
    register(catalog, "d", "rejected", now_us=40)
    adopt(catalog, "e" * 64, "SmolLM2-135M", 50)

    assert tree() == [
        ("SmolLM2-135M", "current", "new agents are grown on it"),
        ("selflow-tiny", "superseded", "agents stand on it"),
        ("writing", "rejected", ""),
        ("writing", "champion", "it serves"),
        ("writing", "retired", ""),
    ]


def test_sizes_licence_data_and_verdict_stand_with_each(catalog: Catalog, tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    sha256 = store.put({"weights": b"0123456789"})
    adopt(catalog, sha256, "selflow-tiny", 5)
    register(catalog, "a", now_us=20, base_sha256=sha256)
    reader = CatalogReader(tmp_path / "catalog.db")
    base, version = models_document(reader, tmp_path / "artifacts")["items"]
    disk = models_document(reader, tmp_path / "artifacts")["disk"]

    assert (base["size_bytes"], base["is_on_disk"], base["artifact"]) == (
        40,
        True,
        f"sha256:{sha256}",
    )
    assert base["licence"].startswith("yours")
    assert (version["size_bytes"], version["is_on_disk"]) == (0, False)
    assert (version["base_id"], version["last_seq"]) == (sha256, 100)
    assert (version["decision"], version["numbers"]) == ("passed", {"slice_gain_bits": 0.2})
    assert (disk["size_bytes"], disk["by_kind"]) == (40, {"base": 40})


def test_what_serves_is_never_deleted(catalog: Catalog, tree: Tree) -> None:
    adopt(catalog, "b" * 64, "selflow-tiny", 5)
    version = register(catalog, "a")

    with pytest.raises(RefusedError, match="it serves"):
        catalog.agents.delete(version.id, 50, "owner")
    with pytest.raises(RefusedError, match="new agents are grown on it"):
        catalog.agents.delete_base("b" * 64, 50, "owner")
    assert [status for _, status, _ in tree()] == ["current", "champion"]


def test_a_deleted_version_serves_no_more_and_keeps_its_history(
    catalog: Catalog, tree: Tree
) -> None:
    first = register(catalog, "a", now_us=20)
    register(catalog, "c", now_us=30)
    assert catalog.agents.delete(first.id, 50, "owner") == [first.sha256]

    with pytest.raises(RefusedError, match="no passed verdict, or is not kept"):
        catalog.agents.promote(first.id, 60, "owner")
    with pytest.raises(RefusedError, match="no version that served on its base"):
        catalog.agents.rollback("writing", 60, "owner")
    with pytest.raises(RefusedError, match="deleted already"):
        catalog.agents.delete(first.id, 60, "owner")
    assert ("writing", "deleted", "it is deleted already") in tree()
    assert first.sha256 in catalog.agents.surplus(), "a removal that was cut short is done later"
    assert [e.action for e in catalog.audit.entries(0, 9)][-1] == "model.delete"


def test_an_artifact_that_another_version_needs_stays(catalog: Catalog) -> None:
    register(catalog, "a", now_us=20)
    other = register(catalog, "a", "rejected", now_us=30, agent="reading")

    assert catalog.agents.delete(other.id, 50, "owner") == []


def test_a_base_goes_once_nothing_stands_on_it(catalog: Catalog) -> None:
    adopt(catalog, "b" * 64, "selflow-tiny", 5)
    version = register(catalog, "a", "rejected")
    adopt(catalog, "e" * 64, "selflow-tiny", 50)
    with pytest.raises(RefusedError, match="agents stand on it"):
        catalog.agents.delete_base("b" * 64, 60, "owner")
    catalog.agents.delete(version.id, 60, "owner")

    assert catalog.agents.delete_base("b" * 64, 60, "owner") == ["b" * 64]


def test_what_is_unknown_cannot_be_deleted(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="no such version"):
        catalog.agents.delete("writing@none", 1, "owner")
    with pytest.raises(UsageError, match="no such base"):
        catalog.agents.delete_base("b" * 64, 1, "owner")


def test_who_answered_at_a_moment_is_the_newest_answer_up_to_it(
    catalog: Catalog, tmp_path: Path
) -> None:
    for at_us in (10, 20, 30):
        routing: dict[str, Json] = {"arm": f"arm{at_us}", "propensity": 0.8, "explored": True}
        catalog.decisions.record(Decision(f"dec{at_us}", at_us, "next", 1, [], [], None, routing))
    items = answered_at(CatalogReader(tmp_path / "catalog.db"), 20)

    assert [(item["arm"], item["propensity"], item["is_explored"]) for item in items] == [
        ("arm20", 0.8, True),
        ("arm10", 0.8, True),
    ]
