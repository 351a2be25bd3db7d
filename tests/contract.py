"""Requests that an OpenAPI document allows and forbids, and whether the answers are as it says."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
Send = Callable[..., httpx.Response]
"""Takes method, path, and httpx's ``params``, ``content`` and ``headers``."""


def operations(document: dict[str, Any]) -> Iterator[Any]:
    """The operations of a document, by name."""
    schema = schemathesis.openapi.from_dict(document)
    for result in schema.get_all_operations():
        yield result.ok()


def check_operation(operation: Any, send: Send, examples: int) -> None:
    """Send requests that the document allows, then some that it forbids; no answer may be a failure
    of the server (503 says why not now), nor of a form that the document does not have.
    """
    both = st.one_of(
        operation.as_strategy(generation_mode=mode)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    )

    @seed(7)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=both)
    def check(case: Any) -> None:
        request = case.as_transport_kwargs(base_url="http://127.0.0.1")
        path = request["url"].removeprefix("http://127.0.0.1")
        body = {"json": request["json"]} if "json" in request else {"content": request.get("data")}
        headers = {str(name): str(value) for name, value in request["headers"].items()}
        answer = send(case.method, path, params=request.get("params"), headers=headers, **body)
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        case.validate_response(answer, checks=CHECKS)

    check()
