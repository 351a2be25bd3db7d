"""``POST /v1/suggest`` in HTTP: three forms of a request, two of an answer
(docs/http.md#suggestions).
"""

from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from selflow.core.errors import ApiError, SelFlowError
from selflow.sdk.wire import SuggestAnswer, SuggestRequest
from selflow.web.owner_socket import OWNER_SOCKET, prefers_text
from serve.engine import Engine

SEPARATOR = "\x1f"
"""Between surface, context and prefix of a request in plain text: US of ASCII, which nobody
types.
"""
PATIENCE_S, KEYSTROKE_PATIENCE_S = 10.0, 0.1
"""Behind these an answer is worth nothing: to a program, and to a shell, which has gone on by then.
"""
_FIELDS = 3


async def answer(engine: Engine, request: Request) -> Response:
    """The answer to one request; whoever asks for text gets an empty body instead of a problem.

    Raises:
        ApiError: What the engine refuses. RequestValidationError: The body breaks the schema.
    """
    is_text = prefers_text(request.scope)
    is_stored = not is_text and OWNER_SOCKET not in request.scope
    patience_s = KEYSTROKE_PATIENCE_S if is_text else PATIENCE_S
    try:
        suggest = parse(await request.body(), request.headers.get("content-type", ""))
        result = await engine.suggest(suggest, is_stored=is_stored, patience_s=patience_s)
    except RequestValidationError:
        if not is_text:
            raise
        return _text(b"", 400)
    except SelFlowError as error:
        if not is_text:
            raise
        return _text(b"", error.status)
    if not is_text:
        return Response(result.model_dump_json(), media_type="application/json")
    return _text(_line(result))


def parse(body: bytes, media: str) -> SuggestRequest:
    """A request from JSON, from fields between US, or from a form.

    Raises:
        RequestValidationError: A field is missing or too long, or the JSON is none.
        ApiError: The body is not UTF-8.
    """
    try:
        if media.partition(";")[0].strip().lower() == "application/json":
            return SuggestRequest.model_validate_json(body)
        return SuggestRequest.model_validate(_fields(body.decode()))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False)) from error
    except UnicodeDecodeError as error:
        raise ApiError(400, "bad_request", "the body is not UTF-8", "send text") from error


def _fields(text: str) -> dict[str, str]:
    if SEPARATOR in text:
        names = ("surface", "context", "prefix")
        return dict(zip(names, text.split(SEPARATOR, _FIELDS - 1), strict=False))
    return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS))


def _line(result: SuggestAnswer) -> bytes:
    """The id, a tab and the likeliest text; nothing if there is none."""
    if result.abstained:
        return b""
    return f"{result.decision_id}\t{result.suggestions[0].text}\n".encode()


def _text(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="text/plain; charset=utf-8")
