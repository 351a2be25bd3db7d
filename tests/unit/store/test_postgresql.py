"""The catalog in a real PostgreSQL: every test that asks only for a catalog, and both doors."""

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import pytest

from selflow.core.errors import ConfigError, StoreError
from selflow.store import database
from selflow.store.catalog import Catalog
from selflow.store.command_records import Command
from selflow.store.reading import CatalogReader
from selflow.store.records import AgentVersion, Artifact, Cycle, Fact, Stage, Token
from selflow.store.row_writer import writing
from tests import postgres
from tests.unit.store import test_agents, test_catalog, test_cycles, test_learned
from tests.unit.store.worlds import begun, register

pytestmark = pytest.mark.slow

# What is no JSON is a TypeError of psycopg's own; in SQLite it is one of SQLAlchemy's.
OF_SQLITE_ALONE = {test_cycles.test_a_stage_whose_entry_fails_leaves_no_artifact}
ASKED_OF_ANY_CATALOG = [
    test
    for module in (test_agents, test_catalog, test_cycles, test_learned)
    for name, test in vars(module).items()
    if name.startswith("test_")
    and test not in OF_SQLITE_ALONE
    and list(inspect.signature(test).parameters) == ["catalog"]
]
_numbers = count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    if (reason := postgres.missing()) and "CI" not in os.environ:
        pytest.skip(reason)
    with postgres.server() as url:
        _execute(url, "CREATE DATABASE empty")
        Catalog.open(f"{url}empty").close()
        yield url


@pytest.fixture
def blank(server: str) -> str:
    """The URL of a database with nothing in it."""
    name = f"blank{next(_numbers)}"
    _execute(server, f"CREATE DATABASE {name}")
    return f"{server}{name}"


@pytest.fixture
def url(server: str) -> str:
    """The URL of a catalog of this program's schema with nothing in it."""
    name = f"catalog{next(_numbers)}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE empty")
    return f"{server}{name}"


def _execute(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(f"{server}postgres", autocommit=True) as connection:
        connection.execute(statement)


def test_the_suite_found_what_is_asked_of_any_catalog() -> None:
    assert len(ASKED_OF_ANY_CATALOG) >= 25


@pytest.mark.parametrize("test", ASKED_OF_ANY_CATALOG, ids=lambda test: test.__name__)
def test_postgresql_answers_as_sqlite_does(test: Callable[[Catalog], None], url: str) -> None:
    with Catalog.open(url) as catalog:
        test(catalog)


def test_both_doors_to_postgresql_say_the_same(url: str) -> None:
    with Catalog.open(url) as catalog:
        version, cycle = register(catalog, "a"), begun(catalog)
        catalog.tokens.create("view", "reader", 1, "owner", only=["metrics"])
        catalog.predictors.promote(Artifact("f" * 64, "pool", 10, {"x": None}), [], 5, {}, 1)
        reader = CatalogReader(url)

        assert reader.learned(AgentVersion) == catalog.agents.versions() == [version]
        assert reader.learned(Token) == catalog.tokens.list_all()
        assert reader.learned(Stage, cycle_id=cycle.id) == catalog.cycles.stages(cycle.id)
        assert reader.learned(Cycle) == list(reversed(catalog.cycles.latest(9)))
        assert reader.champion() == catalog.predictors.champion()
        assert (reader.counts()["predictors"], reader.counts()["artifacts"]) == (1, 2)


@pytest.mark.parametrize("value", [5, 0.5, True, None, "5", "text", [1, "a"], {"port": 1}])
def test_a_value_of_any_json_kind_reads_the_same(url: str, value: object) -> None:
    with Catalog.open(url) as catalog, catalog._database.write() as connection:
        database.put(connection, Fact("it", value, 1))

    assert CatalogReader(url).learned(Fact) == [Fact("it", value, 1)]


def test_single_rows_are_written_to_postgresql_as_to_sqlite(url: str) -> None:
    command = Command("cmd_1", "pattern.edit", "näme", {"title": "%s ?"}, "owner", "queued", 7)
    for number in (1, 2):
        with writing(url) as rows:
            rows.audit(number, "owner", "test", "x", {"a": [1, None]})
    with writing(url) as rows:
        rows.insert(command)
        rows.update(replace(command, state="accepted"))
    with Catalog.open(url) as catalog:
        assert catalog.commands.open() == [replace(command, state="accepted")]
        assert (catalog.audit.verify().entries, catalog.audit.verify().fault) == (2, "")
    with pytest.raises(StoreError, match="nothing was stored"), writing(url) as rows:
        rows.insert(command)


def test_the_bare_reader_cannot_write_to_postgresql(url: str) -> None:
    with pytest.raises(StoreError, match=r"\(25006\)"):
        CatalogReader(url)._rows("DELETE FROM consents")


def test_a_database_that_nobody_opened_is_an_empty_answer(blank: str) -> None:
    assert CatalogReader(blank).consents() == []
    assert not CatalogReader(blank).is_fresh(0)


def test_those_who_open_a_new_database_at_once_make_it_once(blank: str) -> None:
    def open_and_grant(name: str) -> None:
        with Catalog.open(blank) as catalog:
            catalog.consents.grant(name, {}, 1, "owner")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_and_grant, "abcd"))

    assert [each.source for each in CatalogReader(blank).consents()] == list("abcd")


def test_a_writer_waits_for_the_other_and_then_gives_up(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    with Catalog.open(url) as one, Catalog.open(url) as other:
        with one._database.write(), pytest.raises(StoreError, match="another program has locked"):
            other.consents.grant("files", {}, 1, "owner")
        other.consents.grant("files", {}, 1, "owner")

    assert len(CatalogReader(url).consents()) == 1


def test_a_server_that_is_away_is_named_without_the_password() -> None:
    away = "postgresql://me:secret@127.0.0.1:1/selflow"
    if reason := postgres.missing():
        pytest.skip(reason)
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1/selflow cannot be reached") as opened:
        Catalog.open(away)
    with pytest.raises(StoreError, match="cannot read the catalog") as read:
        CatalogReader(away).consents()

    for error in (opened.value, read.value):
        assert "secret" not in f"{error}{error.hint}"
        assert "PostgreSQL server runs" in error.hint


def test_a_missing_driver_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for ask in (Catalog.open, lambda url: CatalogReader(url).consents()):
        with pytest.raises(ConfigError, match="driver is not installed") as caught:
            ask("postgresql://me@h/d")
        assert "selflow[postgres]" in caught.value.hint
