"""Our layer in the process of Serve's HTTP proxy: ``selflow.web.front_door`` for each request, and
a bound for each peer's connections.

Serve knows one door for this: ``configure_http_middlewares`` (``ray/serve/_private/http_util.py``)
calls the function that an environment variable names before the server starts. Options take effect
when Serve is started, so a Serve that an owner runs already has no such layer; the guard in the
replica stands there alone.
"""

import os

from starlette.middleware import Middleware
from uvicorn.protocols.http import auto

from selflow.core.settings import ServeSettings
from selflow.web.bodies import App
from selflow.web.connections import HEAD_DEADLINE_S, BoundedProtocol, bounded
from selflow.web.front_door import FrontDoor
from selflow.web.peers import Peers
from serve.openai_errors import OpenAiErrors
from serve.routes import policies

_SETTINGS = "SELFLOW_FRONT_DOOR_SETTINGS"
_HOOK = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"


def environment(settings: ServeSettings) -> dict[str, str]:
    """The environment with which Serve's controller, and so its proxy, finds ``middlewares``."""
    return {_HOOK: f"{__name__}.middlewares", _SETTINGS: settings.model_dump_json()}


def middlewares() -> list[Middleware]:
    """What Serve's proxy wraps around itself. Called once in its process, before it listens."""
    bound_connections()
    settings = ServeSettings.model_validate_json(os.environ[_SETTINGS])
    return [Middleware(open_door, settings=settings)]


def open_door(app: App, settings: ServeSettings) -> App:
    """The layer around one application."""
    return OpenAiErrors(FrontDoor(app, policies(settings)))


def bound_connections(
    peers: Peers | None = None, head_deadline_s: float = HEAD_DEADLINE_S
) -> type[BoundedProtocol]:
    """Make every uvicorn server of this process that starts from now on count its connections.

    Serve builds its own ``uvicorn.Config`` and lets uvicorn choose the protocol; the choice is made
    by this name when the server starts.
    """
    auto.AutoHTTPProtocol = protocol = bounded(peers or Peers(), head_deadline_s)
    return protocol
