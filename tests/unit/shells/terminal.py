"""A shell of a test's own in a pseudo-terminal: type, and wait for what it prints."""

import os
import pty
import re
import select
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from selflow.core.clock import SystemClock
from tests.waiting import PATIENCE

PROMPT = "READY> "
_LIMIT_S = 10.0
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>()][0-9A-Za-z]?|\x1b\][^\x07]*\x07|\x0f")


class Terminal:
    """One interactive shell. What it prints is gathered; ``expect`` waits for a text in what came
    since the last one that was found.
    """

    def __init__(self, command: list[str], environ: Mapping[str, str], cwd: Path) -> None:
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execvpe(command[0], command, {**environ, "TERM": "xterm-256color"})  # noqa: S606  (a shell of the test)
        os.set_blocking(self._fd, False)
        self._clock = SystemClock()
        self._seen = b""

    def keys(self, text: str) -> None:
        """As if somebody typed it. A terminal takes little at once, and nothing while nobody reads
        what it shows.
        """
        waiting = text.encode()
        while waiting:
            with suppress(BlockingIOError):
                waiting = waiting[os.write(self._fd, waiting) :]
            if waiting:
                self._read(0.01)

    def expect(self, text: str, *, raw: bool = False) -> bytes:
        """Wait for a text among what is shown; returns what came up to its end.

        Args:
            text: What to wait for, without colours and cursor movements.
            raw: Look among the bytes as they come instead.
        """
        deadline_s = self._clock.monotonic_s() + _LIMIT_S * PATIENCE
        wanted = text.encode()
        while True:
            shown = self._seen if raw else _CONTROL.sub(b"", self._seen)
            if (at := shown.find(wanted)) >= 0:
                self._seen = b"" if raw else shown[at + len(wanted) :]
                return shown[: at + len(wanted)]
            assert self._clock.monotonic_s() < deadline_s, f"no {text!r} in {self._seen!r}"
            self._read(0.2)

    def shows(self, text: str, within_s: float) -> bool:
        """Whether it comes up among the raw bytes in time; they are gone afterwards."""
        deadline_s = self._clock.monotonic_s() + within_s
        while text.encode() not in self._seen and (left := deadline_s - self.now_s()) > 0:
            self._read(left)
        is_shown = text.encode() in self._seen
        self._seen = b""
        return is_shown

    def now_s(self) -> float:
        """A clock for what takes time."""
        return self._clock.monotonic_s()

    def run(self, line: str) -> str:
        """A line, Enter, and what is printed until the next prompt."""
        self.keys(line + "\r")
        self.expect("\n")
        return self.expect(PROMPT).decode("utf-8", "replace").removesuffix(PROMPT)

    def expect_prompt_again(self) -> bytes:
        """Every byte between Enter on an empty line and the end of the next prompt."""
        self.keys("\r")
        return self.expect(PROMPT, raw=True).partition(b"\n")[2]

    def _read(self, wait_s: float) -> None:
        if select.select([self._fd], [], [], wait_s)[0]:
            try:
                self._seen += os.read(self._fd, 65_536)
            except OSError as error:
                raise AssertionError(f"the shell has ended after {self._seen!r}") from error

    def kill(self) -> None:
        """kill -9."""
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it."""
        self.kill()
        os.close(self._fd)
        os.waitpid(self.pid, 0)
