"""Where the catalog is: a path is an SQLite file, a text is the URL of a PostgreSQL database.

Nobody else interprets the setting ``store.catalog_url``. The session records what it runs on, so
that every other process means the same catalog, also with ``selflow up --set store.catalog_url=``.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from selflow.core.errors import ConfigError, NotRunningError
from selflow.core.paths import Root, write_private

CatalogLocation = Path | str
_VARIABLE = "SELFLOW_STORE__CATALOG_URL"
_NEXT_STEP = "write sqlite, sqlite:////path/to/catalog.db or postgresql://USER@HOST/DATABASE"
_SQLITE = frozenset({"sqlite", "sqlite+pysqlite"})
_POSTGRESQL = frozenset({"postgresql", "postgresql+psycopg"})


def locate_catalog(root: Root, url: str) -> CatalogLocation:
    """The catalog that the setting ``store.catalog_url`` names.

    ``sqlite`` is ``<root>/catalog.db``; a relative path of ``sqlite:///`` begins at the root,
    because services run in other folders.

    Raises:
        ConfigError: It is not a URL of SQLite or PostgreSQL. The text, which may hold a password,
            is not quoted.
    """
    if url == "sqlite":
        return root.catalog
    scheme, _, rest = url.partition("://")
    if scheme in _SQLITE:
        name = rest.removeprefix("/")
        if name in {"", ":memory:"} or name == rest or "?" in name:
            raise ConfigError("store.catalog_url is not the URL of a SQLite file", _NEXT_STEP)
        return root.path / name
    if scheme not in _POSTGRESQL:
        raise ConfigError("store.catalog_url is neither SQLite nor PostgreSQL", _NEXT_STEP)
    if not urlsplit(f"postgresql://{rest}").path.strip("/"):
        raise ConfigError("store.catalog_url has no database name", _NEXT_STEP)
    return f"postgresql://{rest}"


def may_name_catalog(files: Iterable[Path], environ: Mapping[str, str]) -> bool:
    """Whether a settings file or a variable mentions the key. Loading the settings would take a
    quarter of a second, and ``selflow status`` must answer at once.
    """
    if _VARIABLE in environ:
        return True
    for path in files:
        try:
            if b"catalog_url" in path.read_bytes():
                return True
        except FileNotFoundError:
            continue
        except OSError:
            return True  # the reader of the settings reports what is wrong with the file
    return False


def name_of(location: CatalogLocation) -> str:
    """What messages call it; without user and password."""
    if isinstance(location, Path):
        return str(location)
    parts = urlsplit(location)
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"


def record_catalog(root: Root, url: str) -> None:
    """Write down which catalog the session runs on: ``run/catalog_url``, for the owner alone."""
    write_private(root.catalog_url, url)


def catalog_of_session(root: Root) -> CatalogLocation:
    """The catalog that the session runs on; ``<root>/catalog.db`` while it has recorded none.

    Raises:
        NotRunningError: The record is there and cannot be read.
    """
    return recorded_catalog(root) or root.catalog


def recorded_catalog(root: Root) -> CatalogLocation | None:
    """The catalog that the session recorded; None if there is no session.

    Raises:
        NotRunningError: The file is there and cannot be read.
    """
    try:
        url = root.catalog_url.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise NotRunningError(
            f"cannot read {root.catalog_url}", "remove this file, then run: selflow up"
        ) from error
    return locate_catalog(root, url)
