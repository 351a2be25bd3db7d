import fcntl
import os
import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from selflow.core.errors import ApiError, StoreError, UsageError
from selflow.core.health import Health
from selflow.core.session_files import ProcessRecord
from selflow.store import database, schema
from selflow.store.catalog import Catalog
from selflow.store.pauses import Pause, pause_now
from selflow.store.reading import CatalogReader
from selflow.store.records import Artifact, Decision, Parent
from selflow.store.run_records import Run
from selflow.store.schema import metadata
from selflow.store.session_facts import SessionFacts

FACTS = SessionFacts(True, 64_000_000, 0.5, (ProcessRecord("raylet", 7, 1),))
DAY_US = 86_400_000_000


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(
    catalog: Catalog, tmp_path: Path
) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    with engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))

    assert difference == []
    assert ScriptDirectory.from_config(config).get_current_head() == schema.HEAD


def test_the_catalog_is_the_owners_alone_and_writes_ahead_durably(
    catalog: Catalog, tmp_path: Path
) -> None:
    catalog.facts.set_processes([], 1)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    with catalog._database.read() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert modes == dict.fromkeys(("catalog.db", "catalog.db-wal", "catalog.db-shm"), 0o600)
    assert pragmas == ["wal", 2, 1]


def test_a_file_that_was_open_to_others_is_closed_to_them(tmp_path: Path) -> None:
    Catalog.open(tmp_path / "catalog.db").close()
    (tmp_path / "catalog.db").chmod(0o644)
    Catalog.open(tmp_path / "catalog.db").close()

    assert stat.S_IMODE((tmp_path / "catalog.db").stat().st_mode) == 0o600


def test_opening_again_keeps_everything(tmp_path: Path) -> None:
    first = Catalog.open(tmp_path / "catalog.db")
    first.facts.begin(FACTS, 1)
    first.close()
    again = Catalog.open(tmp_path / "catalog.db")

    assert again.facts.read() == FACTS
    again.close()


def test_those_who_open_a_new_catalog_at_once_make_it_once(tmp_path: Path) -> None:
    def open_and_grant(name: str) -> None:
        catalog = Catalog.open(tmp_path / "catalog.db")
        catalog.consents.grant(name, {}, 1, "owner")
        catalog.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_and_grant, "abcd"))
    catalog = Catalog.open(tmp_path / "catalog.db")

    assert [each.source for each in catalog.consents.list_all()] == list("abcd")
    catalog.close()


def test_whoever_opens_a_new_catalog_waits_for_its_creator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CREATE_TIMEOUT_S", 0.02)
    creator = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(creator, fcntl.LOCK_EX)
    with pytest.raises(StoreError, match=r"another process has been creating the catalog"):
        Catalog.open(tmp_path / "catalog.db")
    os.close(creator)

    Catalog.open(tmp_path / "catalog.db").close()


def test_a_catalog_that_exists_is_opened_without_waiting(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CREATE_TIMEOUT_S", 0.02)
    creator = os.open(empty.parent, os.O_RDONLY)
    fcntl.flock(creator, fcntl.LOCK_EX)

    with Catalog.open(empty) as catalog:
        tokens = catalog.tokens.list_all()
    os.close(creator)

    assert tokens == []


def test_a_catalog_that_was_restored_is_write_ahead_again(tmp_path: Path) -> None:
    Catalog.open(tmp_path / "catalog.db").close()
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    Catalog.open(tmp_path / "catalog.db").close()

    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("version", ["0001", "0003", "0999"])
def test_a_catalog_of_an_unknown_schema_is_refused_and_left_alone(
    tmp_path: Path, version: str
) -> None:
    Catalog.open(tmp_path / "catalog.db").close()
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [version])
        connection.commit()
    with pytest.raises(StoreError, match=f"has schema {version}; this program knows") as caught:
        Catalog.open(tmp_path / "catalog.db")

    assert "start the SelFlow that wrote it" in caught.value.hint


def test_a_catalog_of_schema_0005_can_be_read_and_is_upgraded_when_it_is_opened(
    tmp_path: Path,
) -> None:
    path = tmp_path / "catalog.db"
    Catalog.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE pauses")
        connection.execute("ALTER TABLE services RENAME COLUMN after_boot_us TO started_at_us")
        connection.execute("ALTER TABLE runs DROP COLUMN after_boot_us")
        connection.execute(
            "INSERT INTO services VALUES ('buffer', '', '', 7, 8, 'ok', 0, '', 0, 0, 1)"
        )
        connection.execute("UPDATE alembic_version SET version_num = '0005'")
        connection.commit()
    assert CatalogReader(path).learned(Pause) == []
    (before,) = CatalogReader(path).services()
    assert (before.pid, before.after_boot_us) == (7, 0)
    Catalog.open(path).close()
    assert CatalogReader(path).services() == [replace(before, after_boot_us=8)]
    assert CatalogReader(path).learned(Run) == []
    pause_now(path, None, 1, "owner")

    assert len(CatalogReader(path).learned(Pause)) == 1
    assert CatalogReader(path).schema_version() == schema.HEAD


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection:
        connection.execute("CREATE TABLE trials (mine INTEGER)")
        connection.execute("CREATE VIEW verdicts AS SELECT mine FROM trials")
    with pytest.raises(StoreError):
        Catalog.open(tmp_path / "catalog.db")
    with closing(sqlite3.connect(tmp_path / "catalog.db")) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]

    assert names == ["trials", "verdicts"]


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"no database at all " * 100)
    with pytest.raises(
        StoreError, match=r"catalog.db is not a catalog, or it is damaged \(SQLITE_NOTADB\)"
    ) as caught:
        Catalog.open(tmp_path / "catalog.db")

    assert "selflow up" in caught.value.hint
    assert (tmp_path / "catalog.db").read_bytes().startswith(b"no database")


def test_a_locked_catalog_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Catalog.open(tmp_path / "catalog.db").close()
    monkeypatch.setattr(database, "_PRAGMAS", ("PRAGMA busy_timeout = 1",))
    catalog = Catalog.open(tmp_path / "catalog.db")
    other = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="another program has locked"):
        catalog.facts.begin(FACTS, 1)
    other.close()
    catalog.facts.begin(FACTS, 1)

    assert catalog.facts.read() == FACTS
    catalog.close()


def test_an_error_of_the_database_never_shows_what_was_to_be_stored(catalog: Catalog) -> None:
    decision = _decision("dec_1", context=["words of the owner"])
    catalog.decisions.record(decision)
    with pytest.raises(StoreError, match="refused") as caught:
        catalog.decisions.record(decision)

    assert "words of the owner" not in f"{caught.value} {caught.value.__cause__}"


def test_consents_are_granted_revoked_granted_again_and_audited(catalog: Catalog) -> None:
    catalog.consents.grant("files", {"paths": ["/w"]}, 1, "owner")
    catalog.consents.grant("shell", {}, 2, "owner")

    assert catalog.consents.revoke("files", 3, "owner")
    assert not catalog.consents.revoke("files", 4, "owner")
    assert [(c.source, c.revoked_at_us) for c in catalog.consents.list_all()] == [
        ("files", 3),
        ("shell", None),
    ]
    catalog.consents.grant("files", {"paths": ["/x"]}, 5, "owner")
    again = catalog.consents.list_all()[0]
    assert (again.granted_at_us, again.revoked_at_us, again.details) == (5, None, {"paths": ["/x"]})
    acts = [(entry.action, entry.subject) for entry in catalog.audit.entries(0, 9)]
    assert acts == [
        ("consent.grant", "files"),
        ("consent.grant", "shell"),
        ("consent.revoke", "files"),
        ("consent.grant", "files"),
    ]


def test_a_token_is_known_by_its_secret_alone_and_the_secret_is_not_kept(
    catalog: Catalog, tmp_path: Path
) -> None:
    secret, token = catalog.tokens.create("operate", "editor", 10, "owner", only=["ingest"])
    grant = catalog.tokens.verify(secret, 11)

    assert (grant.token_id, grant.scope, grant.only, grant.is_owner) == (
        token.id,
        "operate",
        {"ingest"},
        False,
    )
    assert catalog.tokens.verify(secret[:-1], 11) is None
    assert catalog.tokens.verify("", 11) is None
    assert catalog.tokens.list_all() == [token]
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in stored


def test_a_token_ends_when_it_expires_and_when_it_is_revoked(catalog: Catalog) -> None:
    first, _ = catalog.tokens.create("view", "a", 10, "owner", expires_at_us=20)
    second, token = catalog.tokens.create("view", "b", 10, "owner")

    assert catalog.tokens.verify(first, 19) is not None
    assert catalog.tokens.verify(first, 20) is None
    assert catalog.tokens.revoke(token.id, 15, "owner")
    assert not catalog.tokens.revoke(token.id, 16, "owner")
    assert catalog.tokens.verify(second, 16) is None


def test_the_owners_token_is_made_anew_and_the_one_before_it_ends(catalog: Catalog) -> None:
    first, second = catalog.tokens.renew_owner(1), catalog.tokens.renew_owner(2)

    assert catalog.tokens.verify(first, 3) is None
    assert (catalog.tokens.verify(second, 3).scope, catalog.tokens.verify(second, 3).is_owner) == (
        "admin",
        True,
    )


@pytest.mark.parametrize(
    ("scope", "label", "more", "text"),
    [
        ("root", "x", {}, "unknown scope 'root'"),
        ("view", "x", {"only": ["disk"]}, "unknown area 'disk'"),
        ("admin", "owner", {}, "reserved for the owner's own token"),
        ("view", "x", {"expires_at_us": 10}, "the expiry is in the past"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(
    catalog: Catalog, scope: str, label: str, more: dict[str, object], text: str
) -> None:
    with pytest.raises(UsageError, match=text):
        catalog.tokens.create(scope, label, 10, "owner", **more)
    assert catalog.tokens.list_all() == []


def test_a_service_is_one_row_that_tells_what_was_seen_last(catalog: Catalog) -> None:
    health = Health("buffer", "0.1.0", "abc", 7, 1, "ok", 3, "", 65_000_000)
    catalog.services.put(health, 0, 5)
    catalog.services.put(health, 2, 6)

    assert catalog.services.mark("buffer", "dead", 7)
    assert not catalog.services.mark("nobody", "dead", 7)
    (seen,) = catalog.services.list_all()
    assert (seen.state, seen.pid, seen.restarts, seen.seen_at_us) == ("dead", 7, 2, 7)
    catalog.facts.begin(FACTS, 8)
    assert catalog.services.list_all() == []


ARTIFACT = Artifact("a" * 64, "pool", 10, {"experts": 3})


def test_a_promotion_writes_artifact_lineage_and_champion_together(catalog: Catalog) -> None:
    assert catalog.predictors.champion() is None
    parents = [Parent("events", "log", 1, 50), Parent("artifact", "b" * 64)]
    first = catalog.predictors.promote(ARTIFACT, parents, 50, {"hit_at_5": 0.5}, 1)
    second = catalog.predictors.promote(
        ARTIFACT, [*parents, Parent("events", "log", 51, 70)], 70, {}, 2
    )

    assert catalog.predictors.champion() == second
    assert first.sha256 == second.sha256
    assert sorted(p.last_seq for p in catalog.predictors.parents("a" * 64)) == [0, 50, 70]
    with catalog._database.read() as connection:
        statuses = connection.execute(
            sa.text("SELECT status, count(*) FROM predictors GROUP BY 1")
        ).all()
    assert sorted(statuses) == [("champion", 1), ("superseded", 1)]


def test_a_promotion_that_fails_changes_nothing(catalog: Catalog) -> None:
    before = catalog.predictors.promote(ARTIFACT, [], 1, {}, 1)
    with pytest.raises(StoreError, match="refused"):
        catalog.predictors.promote(Artifact("c" * 64, "pool", 1, {}), [], None, {}, 2)

    assert catalog.predictors.champion() == before
    with catalog._database.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM artifacts")).scalar() == 1


def _decision(decision_id: str, at_us: int = 0, context: list[object] | None = None) -> Decision:
    return Decision(
        decision_id,
        at_us,
        "pool",
        9,
        [{"kind": "file.modify", "p": 0.5}],
        [{"id": "order1"}],
        context,
    )


@pytest.mark.parametrize("context", [None, [], [{"kind": "x"}]])
def test_a_decision_comes_back_as_it_was_recorded(
    catalog: Catalog, context: list[object] | None
) -> None:
    catalog.decisions.record(_decision("dec_1", context=context))

    assert catalog.decisions.find("dec_1") == _decision("dec_1", context=context)
    assert catalog.decisions.find("dec_2") is None


def test_later_feedback_supersedes_the_earlier_and_both_stay(catalog: Catalog) -> None:
    catalog.decisions.record(_decision("dec_1"))
    first = catalog.feedback.record("dec_1", "accepted", -1, {}, 1)
    other = catalog.feedback.record("dec_1", "rating", 5, {"by": "me"}, 2)
    second = catalog.feedback.record("dec_1", "accepted", 1, {}, 3)
    rows = catalog.feedback.after(0, 9)

    assert [(row.id, row.value, row.is_superseded) for row in rows] == [
        (first, -1, True),
        (other, 5, False),
        (second, 1, False),
    ]
    assert [row.id for row in catalog.feedback.after(rows[0].number, 1)] == [other]


def test_feedback_with_a_repeated_key_is_stored_once(catalog: Catalog) -> None:
    catalog.decisions.record(_decision("dec_1"))
    first = catalog.feedback.record("dec_1", "accepted", 1, {}, 1, "key")

    assert catalog.feedback.record("dec_1", "accepted", 1, {}, 2, "key") == first
    assert catalog.feedback.record("dec_1", "accepted", 1, {}, 2, None) != first
    assert len(catalog.feedback.after(0, 9)) == 2


def test_feedback_on_nothing_and_feedback_after_thirty_days_are_refused(catalog: Catalog) -> None:
    catalog.decisions.record(_decision("dec_1", at_us=0))
    catalog.feedback.record("dec_1", "accepted", 1, {}, 30 * DAY_US)
    with pytest.raises(ApiError) as unknown:
        catalog.feedback.record("dec_2", "accepted", 1, {}, 1)
    with pytest.raises(ApiError) as late:
        catalog.feedback.record("dec_1", "accepted", 1, {}, 30 * DAY_US + 1)

    assert (unknown.value.status, unknown.value.code) == (404, "decision_not_found")
    assert (late.value.status, late.value.code) == (409, "too_late")
    assert "30 days old; the limit is 30" in late.value.detail
    assert len(catalog.feedback.after(0, 9)) == 1


def test_an_import_counts_up_and_ends_once(catalog: Catalog) -> None:
    import_id = catalog.imports.start("events.csv", "e" * 64, "csv", 1)
    catalog.imports.progress(import_id, 10, 8, 2)
    catalog.imports.finish(import_id, "done", 5)
    (run,) = catalog.imports.list_all()

    assert (run.rows, run.accepted, run.rejected, run.state, run.finished_at_us) == (
        10,
        8,
        2,
        "done",
        5,
    )
    with pytest.raises(StoreError, match=f"no import {import_id} is running"):
        catalog.imports.finish(import_id, "failed", 6)


def _audited(catalog: Catalog, count: int = 5) -> None:
    for number in range(count):
        catalog.audit.append(number, "owner", "settings.change", f"key{number}", {"n": number})


def test_an_untouched_audit_log_verifies(catalog: Catalog) -> None:
    assert catalog.audit.verify().fault == ""
    _audited(catalog)
    check = catalog.audit.verify()

    assert (check.entries, check.fault) == (5, "")


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE seq = 3", "entry 3 was changed"),
        ("UPDATE audit SET details = '{\"n\": 9}' WHERE seq = 2", "entry 2 was changed"),
        ("UPDATE audit SET at_us = 77 WHERE seq = 5", "entry 5 was changed"),
        ("DELETE FROM audit WHERE seq = 3", "entries 3 to 3 are missing"),
        ("DELETE FROM audit WHERE seq = 1", "entries 1 to 1 are missing"),
        ("DELETE FROM audit WHERE seq >= 4", "entries after 3 were removed"),
        ("DELETE FROM audit", "entries after 0 were removed"),
        (
            (
                "UPDATE audit SET seq = 9 - seq WHERE seq IN (2, 3); UPDATE audit SET seq = "
                "seq - 4 WHERE seq > 5"
            ),
            "entry 2 does not follow entry 1",
        ),
    ],
)
def test_tampering_with_the_audit_log_is_found(
    catalog: Catalog, tmp_path: Path, tampering: str, fault: str
) -> None:
    _audited(catalog)
    with sqlite3.connect(tmp_path / "catalog.db") as connection:
        connection.executescript(tampering)

    assert catalog.audit.verify().fault == fault


def test_threads_that_append_at_once_make_one_chain(catalog: Catalog) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: catalog.audit.append(n, "owner", "x"), range(40)))

    assert catalog.audit.verify().entries == 40
    assert catalog.audit.verify().fault == ""


@pytest.mark.slow
def test_a_catalog_that_is_at_home_is_opened_without_alembic(tmp_path: Path) -> None:
    Catalog.open(tmp_path / "catalog.db").close()
    code = (
        "import sys; from pathlib import Path; from selflow.store.catalog import Catalog;"
        "Catalog.open(Path(sys.argv[1])); sys.exit('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "catalog.db")], check=False, env=os.environ
    )

    assert done.returncode == 0
