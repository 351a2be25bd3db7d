"""SelFlow from outside: real processes, real HTTP, real files, in a state root of its own."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from actors.ray_head import next_free_port, own_processes
from selflow.core.paths import Root
from tests.processes import seen
from tests.waiting import PATIENCE

FIRST_PORT, PORTS = 10_000, 20_000
"""Below the ports that the kernel gives away by itself."""
LAST_LINES = 20
SELFLOW = Path(sys.executable).with_name("selflow")


@dataclass(frozen=True)
class World:
    """One owner's SelFlow: its root, its environment, its command line."""

    root: Root
    environ: dict[str, str]
    port: int
    """A port that was free: a session beside this one has another."""

    def run(self, *args: str, limit_s: float = 180.0) -> subprocess.CompletedProcess[str]:
        """One command line."""
        return subprocess.run(
            [str(SELFLOW), *args],
            env=self.environ,
            cwd=self.root.path,
            capture_output=True,
            text=True,
            timeout=limit_s * PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def ok(self, *args: str) -> str:
        """A command line that must work; its output."""
        done = self.run(*args)
        assert done.returncode == 0, (
            f"selflow {' '.join(args)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def json(self, *args: str) -> Any:
        """A command line that must work, with ``--json``."""
        return json.loads(self.ok("--json", *args))

    def state(self) -> dict[str, Any]:
        """What ``selflow status`` says, whatever its exit code."""
        answer: dict[str, Any] = json.loads(self.run("--json", "status").stdout)
        return answer

    def story(self) -> str:
        """What a person would look at if something stood still: the status, what runs, the ends of
        the logs.
        """
        lines = [self.run("status").stdout]
        lines += [one.title or one.name for one in seen(own_processes(self.root))]
        for path in sorted(self.root.log.glob("*.log")):
            lines += [
                f"--- {path.name}",
                *path.read_text(errors="replace").splitlines()[-LAST_LINES:],
            ]
        return "\n".join(lines)

    def pid(self, service: str) -> int:
        """The process id of a service, as status tells it."""
        return next(
            int(each["pid"]) for each in self.state()["services"] if each["name"] == service
        )


def make_world(**more: str) -> World:
    """A fresh root with a short path (sockets have 107 bytes) and an environment that knows nothing
    of the caller's.
    """
    folder = Path(tempfile.mkdtemp(prefix="sf-", dir="/tmp"))
    kept = {
        name: os.environ[name]
        # PYTHONPATH names the tree under test where a fault is planted in a copy of this one
        for name in ("PATH", "LANG", "HOME", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
        if name in os.environ
    }
    port = next_free_port(FIRST_PORT + os.getpid() % PORTS)
    fixed = {
        "SELFLOW_HOME": str(folder),
        "SELFLOW_LM__BASE": "tiny",  # no model of the user's cache changes what is tested
        "SELFLOW_SERVE__PORT": str(port),
        "SELFLOW_SUPERVISOR__CHECK_INTERVAL_S": "0.5",
    }
    return World(Root(folder, folder), {**kept, **fixed, **more}, port)


@pytest.fixture
def idle(request: pytest.FixtureRequest) -> Iterator[World]:
    """A root in which nothing runs; ``ENVIRON`` of the module is added to its environment."""
    made = make_world(**getattr(request.module, "ENVIRON", {}))
    yield made
    left = [one.name for one in seen(own_processes(made.root))]
    shutil.rmtree(made.root.path, ignore_errors=True)
    assert left == []


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A running SelFlow that the tests of a module share; ``SETTINGS`` of the module is its
    settings file.
    """
    made = make_world()
    write: Callable[[World], None] | None = getattr(request.module, "prepare", None)
    if write is not None:
        write(made)
    made.ok("up", "--lean")
    yield made
    made.run("down")
    left = [one.name for one in seen(own_processes(made.root))]
    shutil.rmtree(made.root.path, ignore_errors=True)
    assert left == []
