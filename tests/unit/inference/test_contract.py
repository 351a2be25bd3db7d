"""The inference port's OpenAPI document is what the port does, whatever comes in."""

from collections.abc import Iterator
from typing import Any

import pytest

from selflow.core.settings import ServeSettings
from serve.gateway import make_app
from serve.request_metrics import RequestMetrics
from serve.routes import policies
from tests.contract import check_operation, operations
from tests.unit.inference.agents import School
from tests.unit.inference.worlds import World

EXAMPLES = 8
_NEVER_ASKED: Any = None
DOCUMENT = make_app(_NEVER_ASKED, _NEVER_ASKED, RequestMetrics(), _NEVER_ASKED).openapi()
OPERATIONS = [*operations(DOCUMENT)]


def test_the_document_has_every_route() -> None:
    demanded = {(method, path.replace(":path", "")) for method, path in policies(ServeSettings())}

    assert {(one.method.upper(), one.path) for one in OPERATIONS} == demanded


@pytest.fixture(scope="module")
def taught(shared: World) -> Iterator[World]:
    """A world with a base and an agent, so that texts are answered too."""
    school = School(shared)
    school.base()
    school.agent("coder", "make")
    shared.catch_up()
    yield shared
    school.close()


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.label)
def test_every_answer_is_as_documented(taught: World, operation: Any) -> None:
    def send(method: str, path: str, headers: dict[str, str], **more: Any) -> Any:
        given = {name.lower(): value for name, value in headers.items()}
        ours = {"authorization", "host", "origin", "cookie", "sec-fetch-site"}
        allowed = {name: value for name, value in given.items() if name not in ours}
        return taught.send(method, path, headers=allowed, **more)

    check_operation(operation, send, EXAMPLES)
