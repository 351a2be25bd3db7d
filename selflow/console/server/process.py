"""The console's process: a port for browsers and programs, a socket for the owner's commands."""

import asyncio
import gc
import logging
import os
import signal
import socket
from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib.metadata import version

import uvicorn
from anyio.to_thread import current_default_thread_limiter

from selflow.console.server.activitywatch.listener import AwListener
from selflow.console.server.app import guarded, make_app, socket_policies
from selflow.console.server.follower import follow_log
from selflow.console.server.notifier import notify
from selflow.console.server.read_model import ReadModel
from selflow.console.server.stream import sample
from selflow.core.clock import Clock, SystemClock
from selflow.core.errors import NotRunningError, location_of
from selflow.core.paths import Root, find_root
from selflow.core.processes import this_process
from selflow.core.session_files import ConsoleRecord, read_endpoints, write_console, write_endpoints
from selflow.web.connections import bounded
from selflow.web.owner_listener import OwnerListener
from selflow.web.peers import Peers

PORT_TRIES = 20
THREADS = 4
"""That read the disk for requests: each has a stack and an arena of its own."""
ORPHAN_S = 30.0
"""A console whose session was taken down ends after this time, if nobody ended it before."""
_LOOK_S = 5.0
_GRACE_S = 2
_log = logging.getLogger(__name__)


def main() -> None:
    """``python -m selflow.console.server --home DIR``."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--home", required=True)
    root = find_root(parser.parse_args().home, os.environ)
    # Uvicorn hands the signal on once it has stopped; the rest of the way out is ours
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    # What was loaded stays: to look at all of it again held up one answer of five for 25 ms
    gc.collect()
    gc.freeze()
    asyncio.run(serve(root, os.environ, SystemClock()))


async def serve(root: Root, environ: Mapping[str, str], clock: Clock) -> None:
    """Listen until a signal comes or the session is gone.

    Raises:
        NotRunningError: No port is free.
    """
    current_default_thread_limiter().total_tokens = THREADS
    model = ReadModel(root, environ, clock)
    wished_port = model.settings().console.port
    app, listener = make_app(model), bind(wished_port)
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        guarded(app, model, port),
        http=bounded(Peers()),
        lifespan="off",
        log_config=None,
        access_log=False,
        ws="none",
        timeout_graceful_shutdown=_GRACE_S,
    )
    server = uvicorn.Server(config)
    counted = app.state.answer_counts.answered
    owner = OwnerListener(root.socket("console.sock"), socket_policies(), clock, counted)
    await owner.open(app)
    _record(root, port, wished_port)
    works = (
        follow_log(model),
        sample(model, app.state.broadcast),
        notify(model),
        AwListener(model).run(),
        _watch(root, server),
    )
    tasks = [asyncio.create_task(work) for work in works]
    for task in tasks:
        task.add_done_callback(partial(_end_with, server))
    try:
        await server.serve(sockets=[listener])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await owner.close()
        app.state.asker.close()
        await app.state.inference.close()
        model.close()


def bind(wished_port: int) -> socket.socket:
    """Loopback's first free port from the wished one on.

    Raises:
        NotRunningError: None of ``PORT_TRIES`` is free.
    """
    for port in range(wished_port, min(wished_port + PORT_TRIES, 65_536)):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen()
        except OSError:
            listener.close()
        else:
            return listener
    raise NotRunningError(
        f"no port from {wished_port} on is free for the console", "set console.port to another one"
    )


def _record(root: Root, port: int, wished_port: int) -> None:
    me, url = this_process("console"), f"http://127.0.0.1:{port}"
    identity = (me.name, me.pid, me.after_boot_us)
    write_console(root, ConsoleRecord(*identity, url, wished_port, version("selflow")))
    if (known := read_endpoints(root)) is not None:
        write_endpoints(root, replace(known, console=url))


async def _watch(root: Root, server: uvicorn.Server) -> None:
    """End a console that outlived its session."""
    gone_s = 0.0
    while gone_s < ORPHAN_S:
        await asyncio.sleep(_LOOK_S)
        gone_s = 0.0 if root.ray_session.exists() else gone_s + _LOOK_S
    server.should_exit = True


def _end_with(server: uvicorn.Server, task: "asyncio.Task[None]") -> None:
    """A console of which a part has failed ends, and the keeper starts another one."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.error("the console ends: %s", location_of(error))
        server.should_exit = True
