"""The console's OpenAPI document is what the console does, whatever comes in."""

from typing import Any

import pytest

from selflow.console.server.app import make_app
from selflow.console.server.read_model import ReadModel
from selflow.core.clock import SystemClock
from selflow.core.paths import find_root
from tests.contract import check_operation, operations
from tests.unit.console.server.worlds import Console

EXAMPLES = 12
ENDLESS = {"/api/stream"}
"""Has no end; its own tests read it."""
DOCUMENT = make_app(ReadModel(find_root(None, {}), {}, SystemClock())).openapi()
OPERATIONS = [one for one in operations(DOCUMENT) if one.path not in ENDLESS]


def test_the_document_has_every_route() -> None:
    assert len(OPERATIONS) > 25


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_every_answer_is_as_documented(asked: Console, operation: Any) -> None:
    def send(method: str, path: str, headers: dict[str, str], **more: Any) -> Any:
        given = {name.lower(): value for name, value in headers.items()}
        ours = {"authorization", "host", "origin", "cookie", "sec-fetch-site"}
        allowed = {name: value for name, value in given.items() if name not in ours}
        return asked.ask(method, path, "admin", allowed, **more)

    check_operation(operation, send, EXAMPLES)
