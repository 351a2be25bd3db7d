"""HTTP in: the routes of the inference port, each behind the guard, every error in the one envelope."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated

from fastapi import FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from selflow.core.access import Policies, Policy, Problem, Rate, TokenCache, Verify
from selflow.core.clock import Clock
from selflow.core.errors import ApiError, SelFlowError
from selflow.core.guard import REQUEST_ID, Doors, Guard
from selflow.core.settings import ServeSettings
from selflow.sdk.wire import FeedbackAnswer, FeedbackRequest, HealthAnswer, PredictAnswer, PredictRequest
from serve.engine import Engine
from serve.meters import MEDIA_TYPE, Meters

OTHERS_PER_MIN = 600
"""The rate of everything that is not inference (``interfaces.md`` 2)."""
_SHOWN_CHARACTERS = 80


def policies(settings: ServeSettings) -> Policies:
    """What each route demands."""
    body_bytes = settings.max_body_bytes
    predict = Policy(
        "/v1/predict", "operate", "inference", Rate("inference", settings.rate_per_min), body_bytes, is_queued=True
    )
    feedback = Policy(
        "/v1/feedback", "operate", "feedback", Rate("feedback", OTHERS_PER_MIN), body_bytes, is_queued=True
    )
    health = Policy("/health", None)
    return {
        ("POST", "/v1/predict"): predict,
        ("POST", "/predict"): predict,
        ("POST", "/v1/feedback"): feedback,
        ("POST", "/feedback"): feedback,
        ("GET", "/health"): health,
        ("GET", "/healthz"): health,
        ("GET", "/metrics"): Policy("/metrics", "view", "metrics", Rate("metrics", OTHERS_PER_MIN)),
    }


def make_gateway(
    engine: Engine, settings: ServeSettings, port: int, verify: Verify, clock: Clock, meters: Meters
) -> Guard:
    """The ASGI application that Ray Serve runs. Its lifespan starts and stops the engine."""
    doors = Doors(port, policies(settings), settings.running, settings.waiting)
    return Guard(make_app(engine, meters), doors, TokenCache(verify, clock), clock, meters.answered)


def make_app(engine: Engine, meters: Meters) -> FastAPI:
    """The routes alone, without the guard."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        engine.start()
        try:
            yield
        finally:
            await engine.stop()

    # The stock documentation page loads from a foreign host, so there is none here.
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(SelFlowError, _ours)

    @app.post("/predict")
    @app.post("/v1/predict")
    async def predict(request: PredictRequest) -> PredictAnswer:
        return await engine.predict(request)

    @app.post("/feedback", response_model_exclude_unset=True)
    @app.post("/v1/feedback", response_model_exclude_unset=True)
    async def feedback(
        request: FeedbackRequest, idempotency_key: Annotated[str, Header(max_length=200)] = ""
    ) -> FeedbackAnswer:
        return await engine.feedback(request, idempotency_key)

    @app.get("/healthz")
    @app.get("/health")
    async def health() -> HealthAnswer:
        return engine.health()

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(meters.render(), media_type=MEDIA_TYPE)

    return app


async def _invalid(request: Request, error: Exception) -> Response:
    """400, never 422; names the fields, never their values."""
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    if any(each["type"] == "json_invalid" for each in errors):
        return _respond(request, Problem(400, "bad_request", "the body is not valid JSON"))
    fields = tuple((_place(each["loc"]), str(each["msg"]).removeprefix("Value error, ")) for each in errors)
    named = ", ".join(dict.fromkeys(loc for loc, _ in fields))
    detail = f"the request does not follow the schema: {named}"
    return _respond(request, Problem(400, "validation_failed", detail, "see field_errors", field_errors=fields))


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = {404: "route_not_found", 405: "method_not_allowed"}.get(status, "bad_request")
    return _respond(request, Problem(status, code, HTTPStatus(status).phrase))


async def _ours(request: Request, error: Exception) -> Response:
    told = error if isinstance(error, SelFlowError) else ApiError(500, "internal", "")
    detail = told.detail if isinstance(told, ApiError) else str(told)
    headers = (("retry-after", "1"),) if told.status == HTTPStatus.SERVICE_UNAVAILABLE else ()
    return _respond(request, Problem(told.status, told.code, detail, told.hint, headers))


def _respond(request: Request, problem: Problem) -> Response:
    return Response(
        problem.body(request.scope.get(REQUEST_ID, "")),
        problem.status,
        dict(problem.headers),
        media_type="application/problem+json",
    )


def _place(loc: tuple[int | str, ...]) -> str:
    parts = [str(part)[:_SHOWN_CHARACTERS] for part in loc if part != "body"]
    return ".".join(parts) or "body"
