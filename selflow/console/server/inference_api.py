"""``/v1/*``: handed on to the inference port, so that a browser needs one address and no token.

The caller's own token, or that of the browser's session, goes on with the request: the inference
port asks the same catalog. Answers come as they are made, also streamed ones.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request, Response
from fastapi.responses import StreamingResponse

from selflow.console.server.routes import Routes
from selflow.core.errors import ApiError
from selflow.core.paths import Root
from selflow.core.session_files import read_endpoints
from selflow.web.access import bearer, session_of
from selflow.web.guard import REQUEST_ID, REQUEST_ID_HEADER
from selflow.web.owner_socket import OWNER_SOCKET

if TYPE_CHECKING:
    import httpx

MAX_BODY_BYTES = 10_000_000
"""The inference port has a limit of its own (``serve.max_body_bytes``)."""
CONNECT_S, READ_S = 2.0, 120.0
_HANDED_BACK = ("content-type", "retry-after", "www-authenticate", "ratelimit-", "x-selflow-")
_HANDED_ON = ("content-type", "accept", "idempotency-key")
routes = Routes()


class InferencePort:
    """The one client of the inference port; httpx is loaded when the first request comes."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ask(self, request: Request) -> Response:
        """The port's own answer to a request.

        Raises:
            ApiError: 503, nobody answers there.
        """
        import httpx

        url, body = self._url(), await request.body()
        client = self._get_client()
        forwarded = client.build_request(
            request.method, f"{url}{request.url.path}", headers=self._headers(request), content=body
        )
        try:
            answer = await client.send(forwarded, stream=True)
        except httpx.TransportError as error:
            raise _ray_down() from error
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name.lower().startswith(_HANDED_BACK)
        }
        return StreamingResponse(_pieces(answer), answer.status_code, headers)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _get_client(self) -> "httpx.AsyncClient":
        import httpx

        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
            # No proxy of the environment may see what goes from loopback to loopback
            self._client = httpx.AsyncClient(timeout=timeout, trust_env=False)
            self._loop = loop
        return self._client

    def _url(self) -> str:
        known = read_endpoints(self._root)
        if known is None or known.inference is None:
            raise _ray_down()
        return known.inference

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {
            name: value for name in _HANDED_ON if (value := request.headers.get(name)) is not None
        }
        secret = bearer(request.headers.getlist("authorization")) or session_of(
            request.headers.getlist("cookie")
        )
        if request.scope.get(OWNER_SOCKET):
            secret = self._root.token.read_text(encoding="ascii").strip()
        headers["authorization"] = f"Bearer {secret}"
        headers[REQUEST_ID_HEADER.decode()] = request.scope[REQUEST_ID]
        return headers


async def _pieces(answer: "httpx.Response") -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()


def _ray_down() -> ApiError:
    detail = "the inference port does not answer"
    return ApiError(503, "ray_down", detail, "see selflow status; start it with: selflow up")


def _port_of(request: Request) -> InferencePort:
    port: InferencePort = request.app.state.inference
    return port


ThePort = Annotated[InferencePort, Depends(_port_of)]


@routes.get("/v1/models", "view", area="inference", in_schema=False)
@routes.get("/v1/models/{model_id:path}", "view", area="inference", in_schema=False)
async def read(request: Request, port: ThePort) -> Response:
    """What can be asked."""
    return await port.ask(request)


def _post(path: str, area: str) -> None:
    demand = routes.change(
        "POST", path, "operate", area=area, max_body_bytes=MAX_BODY_BYTES, in_schema=False
    )

    @demand
    async def act(request: Request, port: ThePort) -> Response:
        return await port.ask(request)


for _path in ("/v1/predict", "/v1/suggest", "/v1/completions", "/v1/chat/completions"):
    _post(_path, "inference")
_post("/v1/feedback", "feedback")
