"""docs/http.md says what the inference port does: its routes, its error codes, its fields."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from selflow.core.settings import ServeSettings
from selflow.sdk import wire
from serve.ratings import FIXED_METRICS
from serve.routes import policies
from tests.unit.house.rules import HERE

PAGE = (HERE / "docs/http.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    """The text below a heading."""
    return PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]


def codes_of(paths: Iterator[Path]) -> set[str]:
    """Every code that an error is made with."""
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {
                "ApiError",
                "Problem",
            }:
                strings = [arg.value for arg in node.args[1:2] if isinstance(arg, ast.Constant)]
                found |= {code for code in strings if isinstance(code, str)}
    return found


def test_the_page_lists_every_route_with_its_scope() -> None:
    shown = section("Routes")
    for (method, path), policy in policies(ServeSettings()).items():
        name = path.replace("{model_id:path}", "ID")
        rows = [row for row in shown.splitlines() if f"{name}`" in row]

        assert len(rows) == 1, f"{method} {name}"
        assert f"| {policy.scope or 'none'} |" in rows[0]


def test_the_page_names_every_error_code_of_the_port() -> None:
    folders = (HERE / "serve", HERE / "selflow/web")
    codes = codes_of(path for folder in folders for path in sorted(folder.glob("*.py")))

    assert {code for code in codes if f"`{code}`" not in section("Errors")} == set()


def test_the_page_names_every_metric_of_feedback() -> None:
    assert {name for name in FIXED_METRICS if f"`{name}`" not in section("Feedback")} == set()


def test_the_page_names_every_field_of_an_answer() -> None:
    fields = {
        "Prediction": {*wire.PredictAnswer.model_fields, *wire.Guess.model_fields},
        "Feedback": set(wire.FeedbackAnswer.model_fields),
        "Health and metrics": set(wire.HealthAnswer.model_fields),
    }
    missing = {
        f"{name}: {field}"
        for name, names in fields.items()
        for field in names
        if not re.search(rf"\b{field}\b", section(name))
    }

    assert missing == set()
