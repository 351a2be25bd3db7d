"""A console for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from selflow.core.paths import Root
from tests.unit.console.server.worlds import Console


@pytest.fixture
def console(root: Root, tmp_path: Path) -> Iterator[Console]:
    made = Console.make(root, tmp_path / "static")
    yield made
    made.close()
