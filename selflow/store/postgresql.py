"""Connections to PostgreSQL; libpq alone interprets the URL, for every connection."""

from typing import TYPE_CHECKING, Any

from selflow.core.errors import ConfigError

if TYPE_CHECKING:
    import psycopg

CONNECT_TIMEOUT_S = 5
WRITER_LOCK = 0x53656C466C6F77
"""The number of the advisory lock that a writer holds: "SelFlow" in ASCII."""
DISK_FULL = frozenset({"53100", "25006"})
"""Its codes of a full disk, and of a server that only reads."""
LOCK_TIMEOUT = "55P03"
"""PostgreSQL's code of a lock that was waited for too long."""


def connect(url: str, **options: Any) -> "psycopg.Connection[Any]":  # noqa: ANN401  (psycopg's own)
    """A new connection.

    Raises:
        ConfigError: The driver is not installed. psycopg.Error: The server does not answer.
    """
    try:
        import psycopg
    except ImportError as error:
        raise not_installed() from error
    return psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S, **options)


def not_installed() -> ConfigError:
    """What the owner reads where the driver is missing."""
    return ConfigError(
        "store.catalog_url names PostgreSQL, whose driver is not installed",
        "run: pip install 'selflow[postgres]', or write sqlite",
    )
