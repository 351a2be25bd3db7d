"""A Unix socket that answers HTTP: the owner's alone, without a token."""

import asyncio
import logging
import os
import socket
from pathlib import Path

import uvicorn
from uvicorn.server import ServerState

from selflow.core.clock import Clock
from selflow.web.access import Policies
from selflow.web.bodies import App
from selflow.web.connections import OwnersProtocol
from selflow.web.guard import Observe
from selflow.web.owner_socket import SocketGuard

_log = logging.getLogger(__name__)


class OwnerListener:
    """Answers the routes of ``policies`` while its process serves.

    A socket that a killed process left behind is replaced, and so is that of one that is
    about to end: the newest one answers.
    """

    def __init__(self, path: Path, policies: Policies, clock: Clock, observe: Observe) -> None:
        self._path = path
        self._clock = clock
        self._observe = observe
        self._policies = policies
        self._state = ServerState()
        self._server: asyncio.Server | None = None
        self._inode = 0
        self.problem = ""
        """Why nobody is answered here; empty if somebody is."""

    async def open(self, app: App, owner_uid: int | None = None) -> None:
        """Answer by this application from now on; a socket that cannot be made is logged, and said
        in the health.
        """

        class Protocol(OwnersProtocol):
            pass

        Protocol.owner_uid = os.getuid() if owner_uid is None else owner_uid
        guard = SocketGuard(app, self._policies, self._clock, self._observe)
        config = uvicorn.Config(guard, lifespan="off", log_config=None, access_log=False, ws="none")
        config.load()
        try:
            listener = self._bind()
        except OSError as error:
            self.problem = f"cannot listen at {self._path}: {error.strerror}"
            _log.warning("%s", self.problem)
            return
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: Protocol(config, self._state, {}), sock=listener
        )

    async def close(self) -> None:
        """Answer nobody any more."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        try:
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
        except OSError as error:
            _log.info("the socket is gone already: %s", error.strerror)

    def _bind(self) -> socket.socket:
        """Bind beside the path and move there, so that a client finds the old one or the new one.

        The name beside it is not longer: a path of a socket has 107 bytes.
        """
        beside = self._path.with_name(f".{os.getpid()}"[: len(self._path.name)])
        beside.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(beside))
            beside.chmod(0o600)
            self._inode = beside.stat().st_ino
            listener.listen()
            beside.replace(self._path)
        except OSError:
            listener.close()
            raise
        return listener
