"""The examples in docstrings are run."""

import doctest
import importlib

import pytest

from tests.unit.house import rules

NEEDS_A_SERVER = {"selflow.sdk.client"}
"""Its example runs in tests/unit/sdk/test_client.py."""
EXAMPLES = {
    ".".join(path.with_suffix("").parts)
    for path, text, _ in rules.modules(rules.HERE)
    if "    >>> " in text
} - NEEDS_A_SERVER


def test_these_modules_have_an_example() -> None:
    assert {"selflow.predict.pool", "selflow.predict.steps"} <= EXAMPLES


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_in_a_docstring_works(name: str) -> None:
    ran = doctest.testmod(importlib.import_module(name))

    assert ran.attempted > 0
    assert ran.failed == 0
