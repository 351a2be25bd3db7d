"""What the owner allows holds at once, and what is revoked ends within a second."""

from pathlib import Path

from selflow.store.catalog import Catalog
from selflow.store.permission import CACHE_S, Permission
from selflow.testing import ManualClock


def test_a_consent_holds_at_once_after_a_refusal(tmp_path: Path) -> None:
    permission = Permission(tmp_path / "catalog.db", ManualClock())
    with Catalog.open(tmp_path / "catalog.db") as catalog:
        before = permission.allows_batch("program")
        catalog.consents.grant("ingest", {}, 1, "owner")

        assert (before, permission.allows_batch("program")) == (False, True)
        assert not permission.allows_batch("import:git")


def test_a_revoked_consent_ends_within_its_limit(tmp_path: Path) -> None:
    clock = ManualClock()
    permission = Permission(tmp_path / "catalog.db", clock)
    with Catalog.open(tmp_path / "catalog.db") as catalog:
        catalog.consents.grant("file_system", {"paths": ["/a", "/b"]}, 1, "owner")
        before = permission.granted()
        catalog.consents.revoke("file_system", 2, "owner")
        clock.advance(CACHE_S + 0.1)

        assert (before, permission.granted()) == ({"file_system": ("/a", "/b")}, {})
