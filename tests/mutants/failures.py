"""A pytest plugin for the runner: one JSON line for each failed phase of a test, with its error.

``FAILURES`` in the environment names the file. pytest's own summary does not tell a failed fixture
from a failed claim, nor a claim that does not hold from any other exception.
"""

import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write down who failed, in which phase (setup, call, teardown) and with which error."""
    report = yield
    if report.failed and call.excinfo is not None:
        error = call.excinfo.value
        names = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, BaseException)]
        # pytest.fail and pytest.raises without an error: claims that do not hold
        names += ["AssertionError"] * isinstance(error, pytest.fail.Exception)
        line = {"test": item.nodeid, "phase": call.when, "errors": names}
        with Path(os.environ["FAILURES"]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    return report
