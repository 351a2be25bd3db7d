"""The command line in this process: exit code, stdout, stderr; home and state root in a temporary folder."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from selflow.console.cli.main import run
from selflow.core.paths import Root


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
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    for name in [name for name in os.environ if name.startswith(("SELFLOW_", "RAY_"))]:
        monkeypatch.delenv(name)
    for name, folder in (("HOME", "h"), ("XDG_CONFIG_HOME", "h/c"), ("XDG_DATA_HOME", "h/d"), ("XDG_RUNTIME_DIR", "r")):
        monkeypatch.setenv(name, str(tmp_path / folder))
    (tmp_path / "r").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    home = tmp_path / "s"
    monkeypatch.setenv("SELFLOW_HOME", str(home))
    made = Root(home, home)
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
