"""The open catalog for a command of the owner's. SQLAlchemy is imported only when one asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selflow.core.invocation import Invocation


@contextmanager
def open_catalog(call: Invocation) -> Iterator[Any]:
    """The catalog that this invocation means, made if it is missing."""
    from selflow.store.catalog import Catalog

    call.root.make()
    with Catalog.open(call.catalog_location()) as catalog:
        yield catalog
