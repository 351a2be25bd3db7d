from pathlib import Path

import pytest

from selflow.core.catalog_location import (
    catalog_of_session,
    locate_catalog,
    name_of,
    record_catalog,
    recorded_catalog,
)
from selflow.core.config import Layer, load
from selflow.core.errors import ConfigError, NotRunningError
from selflow.core.paths import Root

ROOT = Root(Path("/root/of"), Path("/root/of"))


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("sqlite", Path("/root/of/catalog.db")),
        ("sqlite:////data/a b#1%.db", Path("/data/a b#1%.db")),
        ("sqlite+pysqlite:////data/x.db", Path("/data/x.db")),
        ("sqlite:///x.db", Path("/root/of/x.db")),
        ("postgresql://me:pw@h:5/d", "postgresql://me:pw@h:5/d"),
        ("postgresql+psycopg://me@/d?host=/run/pg", "postgresql://me@/d?host=/run/pg"),
    ],
)
def test_a_url_names_a_file_or_a_database(url: str, location: Path | str) -> None:
    assert locate_catalog(ROOT, url) == location


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("not a url", "neither SQLite nor PostgreSQL"),
        ("mysql://u:secret@h/d", "neither SQLite nor PostgreSQL"),
        ("sqlite://", "is not the URL of a SQLite file"),
        ("sqlite:///", "is not the URL of a SQLite file"),
        ("sqlite:///:memory:", "is not the URL of a SQLite file"),
        ("sqlite:///a.db?mode=ro", "is not the URL of a SQLite file"),
        ("postgresql://u:secret@h", "has no database name"),
    ],
)
def test_a_useless_url_is_refused_without_its_password(url: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text) as located:
        locate_catalog(ROOT, url)
    with pytest.raises(ConfigError, match=text) as loaded:
        load([Layer("user", {"store": {"catalog_url": url}})])

    assert "postgresql://USER@HOST/DATABASE" in located.value.hint
    assert "secret" not in f"{located.value}{located.value.hint}{loaded.value}{loaded.value.hint}"


def test_a_database_is_named_without_user_and_password() -> None:
    assert name_of("postgresql://me:secret@h:5/d?sslmode=x") == "postgresql://h:5/d"
    assert name_of(Path("/data/x.db")) == "/data/x.db"


def test_the_catalog_of_a_session_is_what_it_recorded(tmp_path: Path) -> None:
    root = Root(tmp_path, tmp_path)
    root.make()
    assert (recorded_catalog(root), catalog_of_session(root)) == (None, root.catalog)
    record_catalog(root, "sqlite:///other.db")

    assert catalog_of_session(root) == tmp_path / "other.db"
    assert root.catalog_url.stat().st_mode & 0o777 == 0o600


def test_an_unreadable_record_of_the_session_is_named(tmp_path: Path) -> None:
    root = Root(tmp_path, tmp_path)
    root.catalog_url.mkdir(parents=True)
    with pytest.raises(NotRunningError, match=r"cannot read .*catalog_url") as caught:
        catalog_of_session(root)

    assert "selflow up" in caught.value.hint
