"""Starting and ending the console, a process of its own beside Ray. Imports no Ray."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import version

from selflow.core.clock import SystemClock
from selflow.core.errors import StoreError
from selflow.core.paths import Root
from selflow.core.processes import living_console

START_LIMIT_S = 30.0
END_LIMIT_S = 4.0
_POLL_S = 0.05


def ensure(root: Root, wished_port: int) -> None:
    """Have a console of this SelFlow that listens where the settings ask for it.

    Raises:
        StoreError: It did not start.
    """
    console = living_console(root)
    wanted = (wished_port, version("selflow"))
    if console is not None and (console.wished_port, console.version) != wanted:
        end(root)
    start(root)


def start(root: Root) -> None:
    """Have a console; returns once it listens.

    Raises:
        StoreError: It did not start.
    """
    clock, path = SystemClock(), root.log / "console.log"
    deadline_s = clock.monotonic_s() + START_LIMIT_S
    started = None
    while living_console(root) is None:
        if started is None:
            started = _spawn(root)
        elif started.poll() is not None or clock.monotonic_s() > deadline_s:
            raise StoreError("the console did not start", f"see {path}")
        clock.sleep(_POLL_S)


def end(root: Root) -> None:
    """End the console, gently at first, and forget it."""
    clock = SystemClock()
    deadline_s, sent = clock.monotonic_s() + END_LIMIT_S, signal.SIGTERM
    while (console := living_console(root)) is not None:
        with suppress(ProcessLookupError):
            os.kill(console.pid, sent)
        if clock.monotonic_s() >= deadline_s:
            sent = signal.SIGKILL
        clock.sleep(_POLL_S)
    with suppress(OSError):  # on a read-only disk; a record of a process that is gone says nothing
        root.console.unlink(missing_ok=True)


def _spawn(root: Root) -> subprocess.Popen[bytes]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    with (root.log / "console.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603  (our own interpreter and arguments)
            [sys.executable, "-m", "selflow.console.server", "--home", str(root.path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=root.path,
            env={**environ, "MALLOC_ARENA_MAX": "2"},
        )
