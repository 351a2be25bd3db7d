"""The port of ActivityWatch's clients: open while the settings say so, on no other port. What it
needs is loaded once it is used: most consoles never open it.
"""

import asyncio
import logging
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import uvicorn
from uvicorn.server import ServerState

from selflow.collect.activitywatch.tables import database_of
from selflow.console.server.read_model import ReadModel
from selflow.core.errors import SelFlowError, public_text
from selflow.core.grants import ACTIVITYWATCH
from selflow.core.listener_settings import AwSettings
from selflow.core.session_files import AwPort, read_endpoints, write_aw_port, write_endpoints
from selflow.store.consent_rows import allow_once
from selflow.web.access import TokenCache
from selflow.web.connections import bounded
from selflow.web.peers import Peers

if TYPE_CHECKING:
    from selflow.console.server.activitywatch.service import AwService

LOOK_S = 1.0
"""Changed settings act within this time."""
HAND_OVER_S = 5.0
"""Between two times that finished events are handed over."""
_log = logging.getLogger(__name__)


class AwListener:
    """Opens and closes the port, and hands over what came."""

    def __init__(self, model: ReadModel) -> None:
        self._model = model
        self._settings = AwSettings()
        self._service: AwService | None = None
        self._server: asyncio.Server | None = None
        self._state = ServerState()
        self._known = AwPort()

    async def run(self) -> None:
        """Follow the settings until cancelled; then answer nobody any more, and close the store."""
        handing = asyncio.create_task(self._hand_over_always())
        try:
            while True:
                await self._follow()
                if handing.done():
                    handing.result()
                await asyncio.sleep(LOOK_S)
        finally:
            self._close_port()
            handing.cancel()
            await asyncio.gather(handing, return_exceptions=True)
            if self._service is not None:
                await asyncio.to_thread(self._service.close)

    async def _hand_over_always(self) -> None:
        while True:
            await self._hand_over()
            await asyncio.sleep(HAND_OVER_S)

    async def _follow(self) -> None:
        try:
            wanted = (await asyncio.to_thread(self._model.settings)).aw
            if wanted != self._settings or (wanted.port is not None and self._server is None):
                self._close_port()
                self._settings = wanted
                url = None if wanted.port is None else await self._open(wanted, wanted.port)
                self._tell(replace(self._known, url=url, problem=""))
        except (SelFlowError, OSError) as error:
            self._tell(replace(self._known, url=None, problem=_problem(error, self._settings)))

    async def _open(self, wanted: AwSettings, port: int) -> str:
        from selflow.console.server.activitywatch.access import Access
        from selflow.console.server.activitywatch.surface import Surface

        service = await self._opened()
        model = self._model
        await asyncio.to_thread(allow_once, model.location, ACTIVITYWATCH, model.clock)
        access = Access(port, wanted, TokenCache(self._model.verify, self._model.clock))
        config = uvicorn.Config(
            Surface(service, access),
            http=bounded(Peers()),
            lifespan="off",
            log_config=None,
            access_log=False,
            ws="none",
        )
        config.load()
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
            raise
        protocol, state = config.http_protocol_class, self._state
        self._server = await asyncio.get_running_loop().create_server(
            lambda: protocol(config, state, {}),  # type: ignore[call-arg]
            sock=listener,
        )
        return f"http://127.0.0.1:{port}"

    async def _opened(self) -> "AwService":
        if self._service is None:
            from selflow.console.server.activitywatch.service import AwService

            self._service = await asyncio.to_thread(AwService, self._model)
        return self._service

    async def _hand_over(self) -> None:
        """Also while the port is closed: what came before, or was imported, waits."""
        if self._service is None and not database_of(self._model.root.aw).exists():
            return
        from selflow.console.server.activitywatch.forwarder import hand_over

        try:
            service = await self._opened()
            problem = await asyncio.to_thread(hand_over, service)
            waiting = await service.read(lambda reader: reader.waiting())
        except SelFlowError as error:
            self._tell(replace(self._known, hand_over_problem=public_text(error)))
        else:
            self._tell(replace(self._known, waiting_events=waiting, hand_over_problem=problem))

    def _close_port(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            for connection in list(self._state.connections):
                connection.shutdown()

    def _tell(self, port: AwPort) -> None:
        """Write down what others show; only where something is new."""
        if port == self._known:
            return
        if port.problem and port.problem != self._known.problem:
            _log.warning("%s", port.problem)
        has_moved = port.url != self._known.url
        self._known = port
        write_aw_port(self._model.root, port)
        known = read_endpoints(self._model.root) if has_moved else None
        if known is not None:
            write_endpoints(self._model.root, replace(known, aw=port.url))


def _problem(error: SelFlowError | OSError, wanted: AwSettings) -> str:
    if isinstance(error, SelFlowError):
        return public_text(error)
    return f"cannot listen on port {wanted.port}: {error.strerror}"
