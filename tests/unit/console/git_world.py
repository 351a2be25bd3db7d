"""A real repository, and a socket that answers what its hook asks."""

import os
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

SUGGESTED = "Fix the build"
EDITOR = 'sh -c \'cat "$1" >>"$SEEN"; echo >>"$SEEN"; printf "%s\\n" typed >"$1"\' editor'


@dataclass
class Repository:
    """A repository, and what its editor saw."""

    folder: Path
    seen: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def hooks(self) -> Path:
        return self.folder / ".git" / "hooks"

    def git(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *args],
            cwd=self.folder,
            env={**os.environ, "GIT_EDITOR": EDITOR, "SEEN": str(self.seen), **self.environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def commit(self, *args: str) -> str:
        """A commit of one more file; what the editor showed."""
        number = len(list(self.folder.glob("*.txt")))
        (self.folder / f"{number}.txt").write_text("x")
        self.git("add", "-A")
        done = self.git("commit", *args)
        assert done.returncode == 0, done.stderr
        return self.seen.read_text() if self.seen.exists() else ""


class Answering(Thread):
    """A socket that answers every request alike, and remembers what it was asked."""

    def __init__(self, path: Path, content: bytes) -> None:
        super().__init__(daemon=True)
        self.requests: list[bytes] = []
        self._content = content
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                received = b""
                while not received.endswith(b"\x1f"):
                    received += client.recv(4_096)
                self.requests.append(received.partition(b"\r\n\r\n")[2])
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self._content)}\r\n\r\n"
                client.sendall(head.encode() + self._content)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
