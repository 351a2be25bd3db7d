"""The command line in this process: exit code, stdout, stderr; home and state root in a temporary
folder.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from selflow.console.cli.main import run
from selflow.core.paths import Root
from tests.unit.console.git_world import SUGGESTED, Answering, Repository


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def problem(self) -> Any:
        return json.loads(self.err.splitlines()[-1])


Cli = Callable[..., Ended]


@pytest.fixture
def root(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    """This test's state root, with an empty folder beside it to work in."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    made = Root(home / "selflow", home / "selflow")
    made.make()
    return made


@pytest.fixture
def cli(root: Root, capfd: pytest.CaptureFixture[str]) -> Cli:
    def call(*args: str) -> Ended:
        capfd.readouterr()
        code = run(args)
        captured = capfd.readouterr()
        return Ended(code, captured.out, captured.err)

    return call


@pytest.fixture
def repository(tmp_path: Path, tool: Callable[[str], str]) -> Repository:
    tool("git")
    folder = tmp_path / "repository"
    folder.mkdir()
    made = Repository(folder, tmp_path / "seen")
    made.git("init", "-q")
    return made


@pytest.fixture
def answering(root: Root, tool: Callable[[str], str]) -> Iterator[Answering]:
    tool("curl")
    thread = Answering(root.socket("suggest.sock"), f"dec_1\t{SUGGESTED}\n".encode())
    thread.start()
    yield thread
    thread.close()
    thread.join(10)
