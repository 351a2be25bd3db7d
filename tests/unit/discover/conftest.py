"""Linear algebra on one thread, as in a task that owns one core."""

from collections.abc import Iterator

import pytest

from selflow.discover.features import one_thread


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield
