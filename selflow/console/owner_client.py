"""HTTP over the console's own socket, as the owner: what the command line and the tray ask.

``http.client`` alone: another client would cost more to import than the answer.
"""

import http.client
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from selflow.core.clock import Clock
from selflow.core.errors import ApiError, NotRunningError
from selflow.core.paths import Root

TIMEOUT_S = 5.0
SILENT_S = 25.0
"""A stream sends a comment every 15 s; one that is silent for so long has ended."""
RETRY_S = 1.0


class _OwnersConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a port."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One server-sent event. ``topic`` is empty while the console is away; ``problem`` says why."""

    topic: str
    id: str
    document: Any
    problem: str = ""


def ask_console(root: Root, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
    """The JSON answer of a route, None if it is empty.

    Raises:
        NotRunningError: No console answers. ApiError: It refuses.
    """
    connection = _OwnersConnection(str(root.socket("console.sock")), TIMEOUT_S)
    content = None if body is None else json.dumps(body)
    headers = {"content-type": "application/json"} if content else {}
    try:
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        text = answer.read()
        document = json.loads(text) if text else None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise _away() from error
    finally:
        connection.close()
    if answer.status >= 400:
        problem = document if isinstance(document, dict) else {}
        words = [str(problem.get(name, "")) for name in ("code", "detail", "hint", "request_id")]
        raise ApiError(answer.status, *words)
    return document


def follow_console(root: Root, topics: str, clock: Clock) -> Iterator[StreamMessage]:
    """What the stream says, for ever: it goes on where it was when the console was away.

    Raises:
        NotRunningError: No console answers at the beginning.
    """
    last_id = ""
    while True:
        try:
            for message in _read_stream(root, topics, last_id):
                last_id = message.id
                yield message
            problem = _away()
        except NotRunningError as error:
            if not last_id:
                raise
            problem = error
        yield StreamMessage("", last_id, None, str(problem))
        clock.sleep(RETRY_S)


def _read_stream(root: Root, topics: str, last_id: str) -> Iterator[StreamMessage]:
    connection = _OwnersConnection(str(root.socket("console.sock")), SILENT_S)
    try:
        headers = {"last-event-id": last_id} if last_id else {}
        connection.request("GET", f"/api/stream?topics={topics}", headers=headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise _away()
        fields: dict[str, str] = {}
        while line := answer.readline():
            name, colon, value = line.decode().rstrip("\n").partition(": ")
            if name and colon:
                fields[name] = value
            elif not name and "data" in fields:
                yield StreamMessage(fields["event"], fields["id"], json.loads(fields["data"]))
                fields = {}
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        raise _away() from error
    finally:
        connection.close()


def _away() -> NotRunningError:
    return NotRunningError("the console does not answer", "selflow status shows what runs")
