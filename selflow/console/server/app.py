"""The console as an ASGI application: its routes, behind the guard on the port and behind the
kernel's word on the socket.
"""

from pathlib import Path

from fastapi import FastAPI
from fastapi.routing import APIRoute

from selflow.console.server import (
    api_pages,
    ask_api,
    commands_api,
    data_api,
    inference_api,
    ingest_api,
    lanes_api,
    learning_api,
    metrics_api,
    models_api,
    notices_api,
    pages,
    pause_api,
    privacy_api,
    settings_api,
    sign_in,
    stream,
    system_api,
    tokens_api,
    tray_api,
)
from selflow.console.server.asker import Asker
from selflow.console.server.preconditions import RepeatedError
from selflow.console.server.read_model import ReadModel
from selflow.console.server.routes import Routes
from selflow.console.server.sign_in import Codes, SlidingSessions
from selflow.console.server.stream import Broadcast
from selflow.web.access import TokenCache
from selflow.web.api_document import Api
from selflow.web.bodies import App
from selflow.web.error_answers import answer_errors
from selflow.web.guard import Guard, Listener, Observe
from selflow.web.route_table import RouteTable

PARTS = (
    *(api_pages, system_api, data_api, ask_api, learning_api, models_api, settings_api),
    *(ingest_api, commands_api, pause_api, privacy_api, tokens_api, notices_api, tray_api),
    *(lanes_api, stream, metrics_api, inference_api, sign_in, pages),
)
STATIC = Path(__file__).parents[1] / "static"
"""What ``make web`` builds."""
RUNNING, WAITING = 16, 64
"""No route is queued."""
HEADERS = (
    (
        "content-security-policy",
        (
            "default-src 'self'; connect-src 'self'; img-src 'self' data:; "
            "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
            "object-src 'none'"
        ),
    ),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
)


def make_app(model: ReadModel, static: Path = STATIC) -> FastAPI:
    """The routes alone, without a guard."""
    # The stock documentation page loads from a foreign host: ours is in ``api_pages``.
    app = Api(
        title="SelFlow console",
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        generate_unique_id_function=_operation_id,
    )
    app.state.model = model
    app.state.static = static
    app.state.asker = Asker(model)
    app.state.codes = Codes(model.clock)
    app.state.answer_counts = metrics_api.AnswerCounts()
    app.state.inference = inference_api.InferencePort(model.root)
    app.state.broadcast = Broadcast(model.clock)
    answer_errors(app)
    app.add_exception_handler(RepeatedError, commands_api.answer_again)
    for part in _all_routes():
        app.include_router(part.router)
    return app


def port_policies() -> RouteTable:
    """What each route demands of who comes by the port."""
    table = RouteTable()
    for part in _all_routes():
        table.include(part.policies)
    return table


def socket_policies() -> RouteTable:
    """The routes that the owner's socket has."""
    table = RouteTable()
    for part in _all_routes():
        table.include(part.socket_policies)
    return table


def guarded(app: FastAPI, model: ReadModel, port: int) -> App:
    """The application as it answers on a port."""
    listener = Listener(port, port_policies(), RUNNING, WAITING, has_sessions=True, headers=HEADERS)
    observe: Observe = app.state.answer_counts.answered
    inside = SlidingSessions(app, model)
    return Guard(inside, listener, TokenCache(model.verify, model.clock), model.clock, observe)


def _operation_id(route: APIRoute) -> str:
    return route.name


def _all_routes() -> list[Routes]:
    return [part.routes for part in PARTS]
