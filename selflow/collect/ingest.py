"""The ZeroMQ door: batches in, acknowledged only after the sink has them for good.

One thread owns the sockets; a few workers wait for the sink. Batches of one source are appended one
after the other, in the order they came; batches of different sources side by side.
"""

import os
import socket
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event as Flag

import zmq

from selflow.collect.event_filter import EventFilter
from selflow.collect.intake import (
    Authorise,
    Consents,
    Intake,
    IsPaused,
    Outcomes,
    Prepared,
    refusal,
)
from selflow.core.clock import Clock
from selflow.core.codec import WireLimits
from selflow.core.errors import ConfigError, RefusedError, WireError
from selflow.core.events import Credits
from selflow.core.histogram import Histogram
from selflow.core.ports import EventSink
from selflow.core.threads import WatchedThread

_WORKERS = 4
_MAX_WAITING_BATCHES = 64
"""Batches that may wait for the sink, 6.4 MB at most; a sender that ignores its credits is told to
wait.
"""
_FRAME_ALLOWANCE = 8
"""A frame up to this many times the largest batch is answered; a larger one ends the connection
unread.
"""
_MAX_SOCKET_PATH_BYTES = 103


@dataclass(frozen=True, slots=True)
class _Job:
    door: "zmq.Socket[bytes]"
    identity: bytes
    batch: Prepared
    started_s: float


class IngestServer:
    """Serves ``selflow/1`` on ``ipc://<socket_path>`` and, by choice, on loopback TCP.

    Args:
        sink: Takes the records for good. It may raise ``StoreError`` or be slow, but must answer in
            the end.
        event_filter: Drops and redacts before anything else sees an event.
        clock: Says which events lie in the future.
        socket_path: The ipc socket; made 0600 in a folder that is 0700.
        limits: What one batch may hold.
        tcp_address: ``127.0.0.1:PORT`` or ``[::1]:PORT``; port 0 takes a free one. None: no TCP.
        authorise: Judges the token that every message over TCP carries; needed with
            ``tcp_address``.
        consents: Whether the owner allowed a source; None allows all.
        is_paused: Whether the owner has paused collection; None: it never is.

    Raises:
        RefusedError: If the TCP address is not loopback or has no ``authorise``.
    """

    def __init__(  # noqa: PLR0913  (the composition root names each of them)
        self,
        sink: EventSink,
        event_filter: EventFilter,
        clock: Clock,
        socket_path: Path,
        *,
        limits: WireLimits | None = None,
        tcp_address: str | None = None,
        authorise: Authorise | None = None,
        consents: Consents | None = None,
        is_paused: IsPaused | None = None,
    ) -> None:
        self._limits = limits or WireLimits()
        self._clock = clock
        self._outcomes = Outcomes()
        self.durations = Histogram()
        """From reading a batch to its acknowledgement."""
        self._intake = Intake(
            event_filter,
            clock,
            self._limits,
            self._outcomes,
            consents or (lambda _: True),
            is_paused or (lambda: False),
        )
        self._sink = sink
        self._socket_path = socket_path
        self._tcp_address = None if tcp_address is None else _loopback(tcp_address)
        if tcp_address is not None and authorise is None:
            raise RefusedError(
                "ingest over TCP needs a token", "pass authorise, or use the ipc socket"
            )
        self._authorise = authorise
        self._doors: dict[zmq.Socket[bytes], Authorise | None] = {}
        self._waiting: dict[str, deque[_Job]] = {}
        self._in_flight: Counter[bytes] = Counter()
        self._done: SimpleQueue[tuple[_Job, Future[Credits]]] = SimpleQueue()
        self._credits = _MAX_WAITING_BATCHES
        self._stopping = Flag()
        self._thread: WatchedThread | None = None

    def start(self) -> None:
        """Bind and serve in a thread of its own.

        Raises:
            RefusedError: If the socket's folder is open to other users, or another server has the
            socket. ConfigError: If an address cannot be bound.
        """
        _check_socket(self._socket_path)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_write, False)
        try:
            self._open(f"ipc://{self._socket_path}", None)
            self._socket_path.chmod(0o600)
            if self._tcp_address is not None:
                self._open(f"tcp://{self._tcp_address}", self._authorise)
        except (zmq.ZMQError, ConfigError):
            self._close()
            raise
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="ingest-append")
        self._thread = WatchedThread("ingest thread", self._run)
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more in, answer what the sink still finishes, and close. May be called
        twice.
        """
        if self._thread is not None:
            self._stopping.set()
            self._wake()
            self._thread.join()
            self._thread = None
            self._close()

    @property
    def tcp_endpoint(self) -> str:
        """The bound TCP address (``tcp://127.0.0.1:PORT``); empty without one."""
        ends = (
            door.getsockopt(zmq.LAST_ENDPOINT)
            for door, authorise in self._doors.items()
            if authorise
        )
        return next((end.rstrip(b"\0").decode() for end in ends if isinstance(end, bytes)), "")

    @property
    def fault(self) -> str:
        """What ended its thread against its will; nobody is answered any more then."""
        return self._thread.fault if self._thread is not None else ""

    def outcomes(self) -> dict[tuple[str, str], int]:
        """Events by (source, outcome): accepted, repeated, dropped, rejected, unavailable. For any
        thread.
        """
        return self._outcomes.snapshot()

    def _open(self, address: str, authorise: Authorise | None) -> None:
        door = self._context.socket(zmq.ROUTER)
        self._doors[door] = authorise
        door.setsockopt(zmq.MAXMSGSIZE, _FRAME_ALLOWANCE * self._limits.max_batch_bytes)
        door.setsockopt(zmq.RCVHWM, _MAX_WAITING_BATCHES)
        door.setsockopt(zmq.LINGER, 500)
        try:
            door.bind(address)
        except zmq.ZMQError as error:
            raise ConfigError(
                f"cannot listen on {address}: {error.strerror}", "free it or choose another"
            ) from error

    def _close(self) -> None:
        for door in self._doors:
            door.close()
        self._doors.clear()
        self._context.term()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._wake_read, zmq.POLLIN)
        for door in self._doors:
            poller.register(door, zmq.POLLIN)
        while not self._stopping.is_set():
            for ready, _ in poller.poll():
                if isinstance(ready, zmq.Socket):
                    self._take(ready)
                else:
                    os.read(self._wake_read, 4_096)
            self._settle()
        self._waiting = {source: deque([jobs[0]]) for source, jobs in self._waiting.items()}
        self._pool.shutdown(wait=True)
        self._settle()

    def _wake(self) -> None:
        try:
            os.write(self._wake_write, b".")
        except BlockingIOError:
            return  # the pipe is full of wake-ups already

    def _take(self, door: "zmq.Socket[bytes]") -> None:
        """Read one message; whatever it holds, the loop goes on."""
        identity, *frames = door.recv_multipart(zmq.NOBLOCK)
        try:
            batch = self._intake.prepare(frames, self._doors[door])
        except WireError as error:
            self._reply(door, identity, refusal(error.code, str(error)))
            return
        except Exception as error:  # noqa: BLE001  (who judges tokens or consents may fail in ways of its own)
            message = (
                f"consent and token cannot be checked now ({type(error).__name__}); send "
                "again later"
            )
            self._reply(door, identity, refusal("unavailable", message))
            return
        job = _Job(door, identity, batch, self._clock.monotonic_s())
        if not batch.records:
            self._reply(
                door, identity, self._intake.stored(batch, None, self._credits_for(identity))
            )
        elif sum(self._in_flight.values()) >= _MAX_WAITING_BATCHES:
            message = f"{_MAX_WAITING_BATCHES} batches are waiting already; send again later"
            self._reply(door, identity, refusal("rate_limited", message, batch.batch_id))
        else:
            self._in_flight[identity] += 1
            jobs = self._waiting.setdefault(batch.source, deque())
            jobs.append(job)
            if len(jobs) == 1:
                self._submit(job)

    def _submit(self, job: _Job) -> None:
        batch = job.batch
        future = self._pool.submit(self._sink.append, batch.source, batch.batch_id, batch.records)
        future.add_done_callback(lambda done: self._finish(job, done))

    def _finish(self, job: _Job, future: "Future[Credits]") -> None:
        """Runs in a worker: hand the result to the thread that owns the sockets."""
        self._done.put((job, future))
        self._wake()

    def _settle(self) -> None:
        """Answer every finished append and start the next of its source."""
        while True:
            try:
                job, future = self._done.get_nowait()
            except Empty:
                return
            jobs = self._waiting[job.batch.source]
            error = future.exception()
            if error is None:
                jobs.popleft()
                self._release(job)
                self.durations.observe(self._clock.monotonic_s() - job.started_s)
                self._credits = future.result().credits
                answer = self._intake.stored(
                    job.batch, future.result(), self._credits_for(job.identity)
                )
                self._reply(job.door, job.identity, answer)
            else:
                # Later batches of the source must not overtake this one: they go back to their
                # senders too.
                for failed in jobs:
                    self._release(failed)
                    self._reply(
                        failed.door, failed.identity, self._intake.unavailable(failed.batch, error)
                    )
                jobs.clear()
            if not jobs:
                del self._waiting[job.batch.source]
            elif not self._stopping.is_set():
                self._submit(jobs[0])

    def _release(self, job: _Job) -> None:
        self._in_flight[job.identity] -= 1
        if not self._in_flight[job.identity]:
            del self._in_flight[job.identity]

    def _credits_for(self, identity: bytes) -> int:
        """What the sink takes, less what others have in flight."""
        others = sum(self._in_flight.values()) - self._in_flight[identity]
        return min(self._credits, _MAX_WAITING_BATCHES) - others

    def _reply(self, door: "zmq.Socket[bytes]", identity: bytes, answer: list[bytes]) -> None:
        """Never blocks: a sender that is gone, or does not read, gets nothing and asks again."""
        try:
            door.send_multipart([identity, *answer], zmq.NOBLOCK)
        except zmq.ZMQError:
            self._outcomes.add("(replies)", "undelivered", 1)


def _loopback(address: str) -> str:
    """The address itself, if it is ``HOST:PORT`` with a numeric loopback host."""
    host, _, port = address.rpartition(":")
    try:
        is_loopback = ip_address(host.strip("[]")).is_loopback and port.isascii() and port.isdigit()
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise RefusedError(
            f"ingest may not listen on {address}", "use 127.0.0.1:PORT; only loopback is allowed"
        )
    return address if port != "0" else f"{host}:*"


def _check_socket(path: Path) -> None:
    """The folder is ours alone, the path fits, and nobody listens there (libzmq would take the
    socket over).
    """
    if len(os.fsencode(path)) > _MAX_SOCKET_PATH_BYTES:
        raise ConfigError(
            f"the path of the ingest socket has {len(os.fsencode(path))} bytes; the "
            f"limit is {_MAX_SOCKET_PATH_BYTES}",
            "set SELFLOW_HOME to a shorter folder",
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.parent.stat().st_mode & 0o077:
        raise RefusedError(f"other users can open {path.parent}", f"run: chmod 700 {path.parent}")
    with socket.socket(socket.AF_UNIX) as probe:
        if path.exists() and probe.connect_ex(str(path)) == 0:
            raise RefusedError(f"another program listens at {path}", "stop it first: selflow down")
