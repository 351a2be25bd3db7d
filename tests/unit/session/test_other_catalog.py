"""Everybody outside Ray reads the catalog that the session runs on, wherever it is."""

import pickle
import re
from pathlib import Path

import pytest
import ray

from actors import doctor, keeper
from actors.composition import make_plan
from actors.plan import Plan, collector_section, router_section
from selflow.core.catalog_location import locate_catalog, record_catalog
from selflow.core.health import Health
from selflow.core.paths import Root
from selflow.core.settings import Settings, StoreSettings
from selflow.store.catalog import Catalog
from selflow.store.permission import Permission, ingest_grant
from selflow.testing import ManualClock
from tests.unit.house import rules


@pytest.fixture
def root(tmp_path: Path) -> Root:
    made = Root(tmp_path / "root", tmp_path / "root")
    made.make()
    record_catalog(made, "sqlite:///elsewhere.db")
    return made


MAY_NAME_THE_FILE = {
    "selflow/core/catalog_location.py",
    "selflow/core/invocation.py",
    "actors/doctor.py",  # looks at its mode
}


def test_no_other_module_takes_the_default_file_for_the_catalog() -> None:
    named = {
        str(path)
        for path, text, _ in rules.modules(rules.HERE)
        if re.search(r"root\.catalog\b", text)
    }

    assert named == MAY_NAME_THE_FILE


def test_keeper_doctor_and_collector_read_the_sessions_catalog(root: Root) -> None:
    clock, location = ManualClock(), locate_catalog(root, "sqlite:///elsewhere.db")
    supervisor = Health("supervisor", "0.1.0", "abc", 7, 1, "ok", 0, "", 1)
    with Catalog.open(location) as catalog:
        assert not keeper._is_fresh(root, clock)
        catalog.services.put(supervisor, 0, clock.now_us())
        catalog.consents.grant("ingest", {}, 1, "owner")
        token, _ = catalog.tokens.create("operate", "sender", 1, "owner")
    findings = {each.check: each for each in doctor.examine(root, location, None)}

    assert keeper._is_fresh(root, clock)
    assert Permission(location, clock).allows("ingest")
    assert ingest_grant(location, clock, token) is not None
    assert findings["catalog and its audit chain"].detail == "2 audit entries, chain intact"
    assert not root.catalog.exists()


def test_the_catalogs_password_does_not_travel_to_services(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What services are made of stays in Ray's control store; they read the URL from the disk."""
    monkeypatch.setattr(ray, "cluster_resources", dict)
    url, other = (f"postgresql://me:hunter2@127.0.0.1/{name}" for name in ("a", "b"))
    plans = [
        make_plan(root, Settings(store=StoreSettings(catalog_url=each)), "1", 7_731)
        for each in (url, other)
    ]
    sections = [(plan, collector_section(plan), router_section(plan)) for plan in plans]
    record_catalog(root, url)

    assert b"hunter2" not in pickle.dumps(sections)
    assert plans[0].catalog_location == url
    assert all(a.config_hash != b.config_hash for a, b in zip(*sections, strict=True))


def test_a_plan_of_a_private_root_never_means_the_owners_catalog(tmp_path: Path) -> None:
    """``eval stream --agents`` runs a cycle under the owner's settings in a folder of its own."""
    settings = Settings(store=StoreSettings(catalog_url=f"sqlite:///{tmp_path / 'owners.db'}"))
    root = Root(tmp_path, tmp_path)

    assert Plan(root, settings, "eval", 0, False, 0.0).catalog_location == root.catalog
