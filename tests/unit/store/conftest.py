"""An open catalog in a folder of its own; the migrations run once for all tests."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from selflow.store.catalog import Catalog


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog of this program's schema with nothing in it."""
    path = tmp_path_factory.mktemp("empty") / "catalog.db"
    Catalog.open(path).close()
    return path


@pytest.fixture
def catalog(empty: Path, tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(Path(shutil.copy(empty, tmp_path)))
    yield opened
    opened.close()
