"""What holds in every test: no owner's home, no owner's settings, the same examples each time."""

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "house", derandomize=True, database=None, deadline=None, max_examples=50
)
hypothesis.settings.load_profile("house")

XDG = ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")
_COUNT = itertools.count()
FOREIGN = ("SELFLOW_", "RAY_")


def _settle(patch: pytest.MonkeyPatch, home: Path) -> None:
    patch.setenv("HOME", str(home))
    patch.setenv("SELFLOW_HOME", str(home / "selflow"))
    for name in XDG:
        patch.setenv(name, str(home / name.lower()))


@pytest.fixture(scope="session", autouse=True)
def _session_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home for fixtures that outlive one test, and a short folder for sockets (their paths have
    107 bytes).
    """
    runtime = tempfile.mkdtemp(prefix="sf-", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(FOREIGN)]:
            patch.delenv(name)
        _settle(patch, tmp_path_factory.mktemp("home"))
        patch.setenv("XDG_RUNTIME_DIR", runtime)
        yield
    shutil.rmtree(runtime, ignore_errors=True)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This test's own home folder, empty; the state root is ``home / "selflow"`` and does not exist
    yet.
    """
    # Mktemp lists all others each time
    folder = tmp_path_factory.getbasetemp() / f"home-of-test-{next(_COUNT)}"
    folder.mkdir(mode=0o700)
    _settle(monkeypatch, folder)
    return folder


def missing(what: str) -> NoReturn:
    """A test lacks what it needs: it skips at home and fails in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """The path of a program that the test needs: without it the test skips at home and
    fails in CI.
    """

    def find(name: str) -> str:
        beside = Path(sys.executable).parent
        path = shutil.which(name) or shutil.which(name, path=beside)
        return path or missing(f"the program {name} is missing")

    return find
