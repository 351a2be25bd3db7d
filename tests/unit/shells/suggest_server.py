"""A server of suggestions for tests: a real Unix socket, real HTTP, answers from a table."""

import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"


class SuggestServer:
    """Answers a prefix with ``dec_1<TAB>LINE``; what it is asked it keeps.

    Args:
        path: Of the socket.
        lines: The whole line that is suggested for a prefix; others get an empty answer.
        raw: Sent as it is instead of an HTTP answer.
        hangs_up: Whether it ends a connection that it has answered.
    """

    def __init__(
        self, path: Path, lines: Mapping[str, str], *, raw: bytes = b"", hangs_up: bool = True
    ) -> None:
        self._hangs_up = hangs_up
        self._open: list[socket.socket] = []
        self._lines = lines
        self._raw = raw
        self._lock = Lock()
        self._asked: list[str] = []
        self._heads: list[str] = []
        self._answered = 0
        self._may_answer = Event()
        self._may_answer.set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        Thread(target=self._run, daemon=True).start()

    @property
    def asked(self) -> list[str]:
        """The bodies so far, their separators written ``|``."""
        with self._lock:
            return list(self._asked)

    @property
    def answered(self) -> int:
        """How many requests have got their answer, or would have."""
        with self._lock:
            return self._answered

    @property
    def heads(self) -> list[str]:
        """Request lines and headers so far."""
        with self._lock:
            return list(self._heads)

    def stall(self) -> None:
        """Take requests, and answer none until ``go_on``."""
        self._may_answer.clear()

    def go_on(self) -> None:
        """Answer again."""
        self._may_answer.set()

    def close(self) -> None:
        """Die, as kill -9 would have it: the socket's file stays."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.go_on()

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError):
            head, body = _request(connection)
            shell_folder_prefix = body.split("\x1f", 2)
            with self._lock:
                self._heads.append(head)
                self._asked.append("|".join(shell_folder_prefix))
            self._may_answer.wait()
            line = self._lines.get(shell_folder_prefix[-1])
            text = f"dec_1\t{line}\n".encode() if line else b""
            connection.sendall(self._raw or HEAD % len(text) + text)
        if self._hangs_up:
            connection.close()
        with self._lock:
            self._open.append(connection)
            self._answered += 1


def _request(connection: socket.socket) -> tuple[str, str]:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65_536) or b"\r\n\r\n"
    head, _, body = received.partition(b"\r\n\r\n")
    sizes = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    size_bytes = int(sizes[0].split(b":")[1]) if sizes else 0
    while len(body) < size_bytes and (part := connection.recv(65_536)):
        body += part
    return head.decode(), body.decode("utf-8", "replace")
