"""Programs that run, each under a name that no other program of the machine has."""

import os
import shutil
import subprocess
from itertools import count
from pathlib import Path

_NUMBERS = count()


class Programs:
    """Starts sleeping programs, and ends them.

    Args:
        folder: Where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self) -> str:
        """Start one; its name."""
        name = f"t{os.getpid()}-{next(_NUMBERS)}"
        (self._folder / name).symlink_to(shutil.which("sleep") or "/bin/sleep")
        self._running.append(subprocess.Popen([self._folder / name, "60"]))
        return name

    def end(self) -> None:
        """End all."""
        for process in self._running:
            process.kill()
            process.wait()
