"""A running ingest server and a raw peer that says whatever a test wants."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from threading import Lock

import msgpack
import zmq

from selflow.collect.event_filter import EventFilter
from selflow.collect.ingest import IngestServer
from selflow.collect.intake import Authorise
from selflow.collect.normalise import Exclusions
from selflow.collect.redact import make_redactor
from selflow.core.clock import SystemClock
from selflow.core.codec import encode_batch
from selflow.core.errors import StoreError
from selflow.core.events import Credits, Event
from selflow.core.grants import Grant
from selflow.core.ports import EventSink
from selflow.core.settings import PrivacySettings
from selflow.testing import MemoryLog

DEADLINE_S = 10.0
NOW_US = 1_767_225_600_000_000
GRANTS = {
    "right": Grant("tok_1", "operate"),
    "narrow": Grant("tok_2", "operate", sources=frozenset({"files", "notes"})),
}
"""What the tokens of the tests may bring in."""


class Gate:
    """A sink that waits until it is opened, and can be told to fail."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.opened = Flag()
        self.entered = Flag()
        self.failures = 0
        self._lock = Lock()

    def append(self, source: str, batch_id: int, records: Sequence[bytes]) -> Credits:
        self.entered.set()
        if not self.opened.wait(DEADLINE_S):
            raise StoreError("the test forgot to open the gate")
        with self._lock:
            if self.failures:
                self.failures -= 1
                raise StoreError("the disk is full", "free some space")
        return self.log.append(source, batch_id, records)


class Peer:
    """A DEALER without manners."""

    def __init__(self, address: str) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(address)

    def say(self, *frames: bytes) -> None:
        self._socket.send_multipart(frames)

    def send(self, source: str, batch_id: int, events: Sequence[Event], *token: bytes) -> None:
        self.say(b"selflow/1", encode_batch(source, batch_id, events), *token)

    def hear(self) -> tuple[bytes, dict[str, object]]:
        assert self._socket.poll(DEADLINE_S * 1_000), "no answer in time"
        kind, body = self._socket.recv_multipart()
        return kind, msgpack.unpackb(body)

    def hears_nothing(self, within_s: float = 0.05) -> bool:
        return not self._socket.poll(within_s * 1_000)

    def close(self) -> None:
        self._socket.close()
        self._context.term()


def event_filter(
    paths: Sequence[str] = (),
    apps: Sequence[str] = (),
    is_paused_at: Callable[[int], bool] | None = None,
) -> EventFilter:
    exclusions = Exclusions(paths, apps, "/home/u")
    return EventFilter(make_redactor(PrivacySettings()), exclusions, "/home/u", is_paused_at)


@contextmanager
def short_folder() -> Iterator[Path]:
    """The path of a socket may have about 100 bytes; the test runner's own folders are longer."""
    with tempfile.TemporaryDirectory(prefix="sf") as folder:
        yield Path(folder)


@contextmanager
def serving(
    sink: EventSink,
    folder: Path,
    *,
    tcp: bool = False,
    authorise: Authorise = GRANTS.get,
    sifting: EventFilter | None = None,
    consents: Callable[[str], bool] | None = None,
    is_paused: Callable[[], bool] | None = None,
) -> Iterator[IngestServer]:
    server = IngestServer(
        sink,
        sifting or event_filter(),
        SystemClock(),
        folder / "run" / "in.sock",
        tcp_address="127.0.0.1:0" if tcp else None,
        authorise=authorise if tcp else None,
        consents=consents,
        is_paused=is_paused,
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def peering(address: str) -> Iterator[Peer]:
    peer = Peer(address)
    try:
        yield peer
    finally:
        peer.close()


def socket_of(folder: Path) -> str:
    return f"ipc://{folder}/run/in.sock"


def events(start: int, count: int, *, subject: str = "/w/file") -> list[Event]:
    return [
        Event(NOW_US + place, "files", "file.modify", f"{subject}{place}")
        for place in range(start, start + count)
    ]
