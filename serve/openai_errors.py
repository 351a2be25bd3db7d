"""OpenAI's own error envelope on OpenAI's routes. Light: Serve's proxy loads it too."""

import json

from selflow.core.events import Json
from selflow.web.bodies import App, Message, Receive, Send

ROUTES = ("/v1/models", "/v1/completions", "/v1/chat/completions")
"""Where these begin, errors have OpenAI's envelope."""
_TYPES = {
    403: "permission_error",
    408: "timeout",
    413: "request_too_large",
    429: "rate_limit_error",
}
_CODES = {
    "unauthenticated": "invalid_api_key",
    "rate_limited": "rate_limit_exceeded",
    "ray_down": "engine_unavailable",
}


class OpenAiErrors:
    """Wraps the guard: what it and the routes refuse on OpenAI's routes bears OpenAI's envelope."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not scope["path"].startswith(ROUTES):
            await self._app(scope, receive, send)
            return
        held: list[Message] = []

        async def translated(message: Message) -> None:
            is_start = message["type"] == "http.response.start"
            if is_start and (b"content-type", b"application/problem+json") in message["headers"]:
                held.append(message)
                return
            if held:
                start, problem = held.pop(), json.loads(message["body"])
                param = next(
                    (field["loc"].partition(".")[0] for field in problem["field_errors"]), None
                )
                detail = (
                    f"{problem['detail']}; {problem['hint']}"
                    if problem["hint"]
                    else problem["detail"]
                )
                body = json.dumps(
                    openai_envelope(problem["status"], problem["code"], detail, param)
                ).encode()
                changed = {
                    b"content-type": b"application/json",
                    b"content-length": str(len(body)).encode(),
                }
                await send({**start, "headers": [*(dict(start["headers"]) | changed).items()]})
                message = {**message, "body": body}
            await send(message)

        await self._app(scope, receive, translated)


def openai_envelope(
    status: int, code: str, message: str, param: str | None = None
) -> dict[str, Json]:
    """docs/http.md#errors."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {
        "error": {"message": message, "type": kind, "param": param, "code": _CODES.get(code, code)}
    }
