"""A console for each test, and one that tests share that only ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from selflow.core.paths import Root
from tests.unit.console.server.worlds import Console, at


@pytest.fixture
def console(root: Root, tmp_path: Path) -> Iterator[Console]:
    made = Console.make(root, tmp_path / "static")
    yield made
    made.close()


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One console for all tests of a module, with an event; they change nothing in it."""
    path = tmp_path_factory.mktemp("asked")
    root = Root(path / "root", path / "root")
    root.make()
    made = Console.make(root, path / "static")
    made.store([at(1)])
    yield made
    made.close()
