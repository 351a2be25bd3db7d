"""Real shells with the hook, each in a home of its own."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from selflow.core.paths import Root
from tests.unit.shells.homes import Home


@pytest.fixture
def at_home(tool: Callable[[str], str]) -> Iterator[Home]:
    """A home with a short path: sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="sf-", dir="/tmp") as folder:
        path = Path(os.path.realpath(folder))
        home = Home(path, Root(path / "it's s", path / "it's s"), tool)
        yield home
        home.close()
