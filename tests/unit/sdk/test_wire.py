"""Every field that a caller sends has a bound, and none takes what is no number or no text."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from selflow.sdk.wire import (
    ChatRequest,
    CompletionRequest,
    FeedbackRequest,
    OutcomeLabel,
    PredictRequest,
)

MODELS = (PredictRequest, FeedbackRequest, OutcomeLabel, CompletionRequest, ChatRequest)
BOUNDS = {
    "string": {"maxLength", "enum", "const", "pattern"},
    "array": {"maxItems"},
    "integer": {"maximum", "exclusiveMaximum", "enum", "const"},
}


def parts(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema within a schema."""
    if isinstance(schema, dict):
        if "type" in schema:
            yield path, schema
        for name, item in schema.items():
            yield from parts(item, f"{path}.{name}")
    elif isinstance(schema, list):
        for index, item in enumerate(schema):
            yield from parts(item, f"{path}.{index}")


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_of_a_request_is_bounded(model: type[BaseModel]) -> None:
    unbounded = [
        path
        for path, schema in parts(model.model_json_schema())
        if not BOUNDS.get(str(schema["type"]), {"type"}) & schema.keys()
    ]

    assert unbounded == []


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["temperature", "top_p"])
def test_what_is_no_number_is_refused(name: str, wrong: float) -> None:
    with pytest.raises(ValidationError):
        CompletionRequest.model_validate({"model": "m", "prompt": "p", name: wrong})


def test_a_chat_is_bounded_in_sum() -> None:
    long = {"role": "user", "content": "x" * 150_000}
    ChatRequest.model_validate({"model": "m", "messages": [long]})

    with pytest.raises(ValidationError, match="200,000 characters in all"):
        ChatRequest.model_validate({"model": "m", "messages": [long, long]})
