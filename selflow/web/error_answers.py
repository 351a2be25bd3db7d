"""Every error of a FastAPI application in the one envelope."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from selflow.core.errors import ApiError, SelFlowError
from selflow.web.access import Problem
from selflow.web.guard import REQUEST_ID

_SHOWN_CHARACTERS = 80


def answer_errors(app: FastAPI) -> None:
    """Have the application answer what its routes raise, and what does not follow its schema."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(SelFlowError, _ours)
    app.add_exception_handler(Exception, _ours)


async def _invalid(request: Request, error: Exception) -> Response:
    """400, never 422; names the fields, never their values."""
    errors = error.errors() if isinstance(error, RequestValidationError) else []
    if any(item["type"] == "json_invalid" for item in errors):
        return _respond(request, Problem(400, "bad_request", "the body is not valid JSON"))
    odd = [item for item in errors if item["type"] == "unsupported_parameter"]
    if odd:
        param = str(odd[0]["ctx"]["param"])
        problem = Problem(
            400,
            "unsupported_parameter",
            str(odd[0]["msg"]),
            field_errors=((param, str(odd[0]["msg"])),),
        )
        return _respond(request, problem)
    fields = tuple(
        (_path(item["loc"]), str(item["msg"]).removeprefix("Value error, ")) for item in errors
    )
    named = ", ".join(dict.fromkeys(loc for loc, _ in fields))
    detail = f"the request does not follow the schema: {named}"
    return _respond(
        request, Problem(400, "validation_failed", detail, "see field_errors", field_errors=fields)
    )


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    code = {404: "route_not_found", 405: "method_not_allowed"}.get(status, "bad_request")
    return _respond(request, Problem(status, code, HTTPStatus(status).phrase))


async def _ours(request: Request, error: Exception) -> Response:
    shown = (
        error
        if isinstance(error, SelFlowError)
        else ApiError(500, "internal", "the request failed inside SelFlow", "see the log")
    )
    detail = shown.detail if isinstance(shown, ApiError) else str(shown)
    headers = (("retry-after", "1"),) if shown.status == HTTPStatus.SERVICE_UNAVAILABLE else ()
    return _respond(request, Problem(shown.status, shown.code, detail, shown.hint, headers))


def _respond(request: Request, problem: Problem) -> Response:
    return Response(
        problem.body(request.scope.get(REQUEST_ID, "")),
        problem.status,
        dict(problem.headers),
        media_type="application/problem+json",
    )


def _path(loc: tuple[int | str, ...]) -> str:
    parts = [str(part)[:_SHOWN_CHARACTERS] for part in loc if part not in {"body", "query", "path"}]
    return ".".join(parts) or "body"
