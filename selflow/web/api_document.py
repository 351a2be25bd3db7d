"""The OpenAPI document of a listener, with the errors that it answers.

FastAPI's own document promises 422 with a body of its own; ours answer 400 and the one envelope.
"""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

_REFUSED = {
    "4XX": "Refused: see `code`, `detail` and `hint`.",
    "503": "Not now: see `retry-after`.",
}
_FASTAPIS = ("HTTPValidationError", "ValidationError")


class FieldProblem(BaseModel):
    """What is wrong with one field of a request; ``loc`` names it, its value is never quoted."""

    loc: str
    msg: str


class ProblemAnswer(BaseModel):
    """Every error (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    request_id: str
    field_errors: list[FieldProblem]


class OpenAiError(BaseModel):
    """What OpenAI's routes say of an error."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAiProblem(BaseModel):
    """The error envelope of OpenAI's routes."""

    error: OpenAiError


class Api(FastAPI):
    """An application without FastAPI's own pages, which load from a foreign host.

    ``openai_routes`` are the beginnings of paths whose errors have OpenAI's envelope.
    """

    openai_routes: Sequence[str] = ()

    def openapi(self) -> dict[str, Any]:
        """The document; made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name in _FASTAPIS:
                schemas.pop(name, None)
            for model in (FieldProblem, ProblemAnswer, OpenAiError, OpenAiProblem):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schema.pop("$defs", None)
                schemas[model.__name__] = schema
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    self._add_errors(path, operation["responses"])
        return self.openapi_schema or {}

    def _add_errors(self, path: str, responses: dict[str, Any]) -> None:
        responses.pop("422", None)
        is_openai = path.startswith(tuple(self.openai_routes))
        media, model = (
            ("application/json", OpenAiProblem)
            if is_openai
            else ("application/problem+json", ProblemAnswer)
        )
        schema = {"$ref": f"#/components/schemas/{model.__name__}"}
        for status, text in _REFUSED.items():
            responses[status] = {"description": text, "content": {media: {"schema": schema}}}
