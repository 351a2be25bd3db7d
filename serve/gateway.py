"""HTTP in: the routes of the inference port, each behind the guard, every error in the one
envelope.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request, Response
from fastapi.responses import PlainTextResponse

from selflow.core.clock import Clock
from selflow.core.settings import ServeSettings
from selflow.sdk.wire import (
    ChatRequest,
    CompletionRequest,
    FeedbackAnswer,
    FeedbackRequest,
    HealthAnswer,
    Model,
    ModelList,
    PredictAnswer,
    PredictRequest,
    SuggestAnswer,
    SuggestRequest,
)
from selflow.web.access import TokenCache, Verify
from selflow.web.api_document import Api
from selflow.web.bodies import App
from selflow.web.error_answers import answer_errors
from selflow.web.guard import GRANT, Guard, Listener
from serve.engine import Engine
from serve.openai import Texts, routing_headers
from serve.openai_errors import ROUTES as OPENAI_ROUTES
from serve.openai_errors import OpenAiErrors
from serve.request_metrics import MEDIA_TYPE, RequestMetrics
from serve.routes import ANY_MODEL, policies
from serve.suggest_http import answer as answer_suggest
from serve.suggest_socket import SuggestSocket

_SUGGEST_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": SuggestRequest.model_json_schema()}},
    }
}
"""A shell sends the same as plain text, which FastAPI cannot say."""
_TEXT_OR_STREAM: dict[str, Any] = {"content": {"application/json": {}, "text/event-stream": {}}}


def make_gateway(
    app: FastAPI,
    settings: ServeSettings,
    port: int,
    verify: Verify,
    clock: Clock,
    request_metrics: RequestMetrics,
) -> App:
    """The ASGI application that Ray Serve runs: the routes behind the guard."""
    routes = Listener(port, policies(settings), settings.running, settings.waiting)
    return OpenAiErrors(
        Guard(app, routes, TokenCache(verify, clock), clock, request_metrics.answered)
    )


def make_app(
    engine: Engine, texts: Texts, request_metrics: RequestMetrics, suggest_socket: SuggestSocket
) -> FastAPI:
    """The routes alone, without the guard. The lifespan starts and stops the engine, and opens and
    closes the socket.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine.start()
        await suggest_socket.open(app)
        try:
            yield
        finally:
            await suggest_socket.close()
            await engine.stop()

    # The stock documentation page loads from a foreign host, so there is none here.
    app = Api(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.openai_routes = OPENAI_ROUTES
    answer_errors(app)

    @app.post("/predict")
    @app.post("/v1/predict")
    async def predict(request: PredictRequest, response: Response) -> PredictAnswer:
        answer, routing = await engine.predict(request)
        if routing:
            response.headers.update(
                routing_headers(routing, texts.registry.base_name, answer.decision_id)
            )
        return answer

    @app.post("/feedback", response_model_exclude_unset=True)
    @app.post("/v1/feedback", response_model_exclude_unset=True)
    async def feedback(
        request: FeedbackRequest, idempotency_key: Annotated[str, Header(max_length=200)] = ""
    ) -> FeedbackAnswer:
        return await engine.feedback(request, idempotency_key)

    @app.post("/v1/suggest", responses={200: {"model": SuggestAnswer}}, openapi_extra=_SUGGEST_BODY)
    async def suggest(request: Request) -> Response:
        return await answer_suggest(engine, request)

    _add_state(app, engine, request_metrics, suggest_socket)
    _add_openai(app, texts)
    return app


def _add_state(
    app: FastAPI, engine: Engine, request_metrics: RequestMetrics, suggest_socket: SuggestSocket
) -> None:
    @app.get("/healthz")
    @app.get("/health")
    async def health(request: Request) -> HealthAnswer:
        is_known = GRANT in request.scope
        answer = engine.health(is_known=is_known)
        if not suggest_socket.problem:
            return answer
        last_error = answer.last_error or suggest_socket.problem if is_known else ""
        return answer.model_copy(update={"status": "degraded", "last_error": last_error})

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        return Response(await asyncio.to_thread(request_metrics.render), media_type=MEDIA_TYPE)


def _add_openai(app: FastAPI, texts: Texts) -> None:
    @app.post("/v1/completions", responses={200: _TEXT_OR_STREAM})
    async def complete(body: CompletionRequest, request: Request) -> Response:
        return await texts.answer(body, request)

    @app.post("/v1/chat/completions", responses={200: _TEXT_OR_STREAM})
    async def chat(body: ChatRequest, request: Request) -> Response:
        return await texts.answer(body, request)

    @app.get("/v1/models")
    async def models() -> ModelList:
        return ModelList(data=await asyncio.to_thread(texts.registry.models))

    @app.get(ANY_MODEL)
    async def model(model_id: str) -> Model:
        return await asyncio.to_thread(texts.registry.model, model_id)
