"""The shipped profiles, and the proof that every setting is shown to do something."""

import ast
from pathlib import Path

import pytest

from selflow.core.config import Layer, known_keys, load, meaning
from selflow.core.config_files import read_yaml
from selflow.core.ray_knobs import LAPTOP_KNOBS
from selflow.core.settings import Settings
from tests.unit.house.rules import HERE

PROFILES = sorted((HERE / "configs").glob("*.yaml"))


def test_the_suite_found_the_profiles() -> None:
    assert {path.stem for path in PROFILES} >= {"laptop", "lean", "ci"}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_a_profile_loads_and_opens_with_the_command_that_runs_it(path: Path) -> None:
    first_line = path.read_text().splitlines()[0]

    assert first_line.startswith(f"# selflow --profile {path.stem} ")
    assert load([Layer("profile", read_yaml(path))]).origins


def test_lean_turns_off_what_costs_memory_and_keeps_the_other_knobs() -> None:
    lean = load([Layer("profile", read_yaml(HERE / "configs/lean.yaml"))]).settings.ray
    kept = {name: value for name, value in LAPTOP_KNOBS.items() if "task_events" not in name}

    assert not lean.dashboard
    assert lean.knobs == {**kept, "RAY_task_events_report_interval_ms": "0"}


def test_the_laptop_profile_is_the_default() -> None:
    assert load([Layer("profile", read_yaml(HERE / "configs/laptop.yaml"))]).settings == Settings()


@pytest.mark.parametrize("key", known_keys())
def test_every_key_says_what_it_means(key: str) -> None:
    assert meaning(key).endswith(".")


def test_every_key_has_a_test_in_which_it_changes_something() -> None:
    """The proof is a test that bears ``@pytest.mark.setting("section.key")``; here only their names
    are compared.
    """
    shown = {key for path in (HERE / "tests").rglob("test_*.py") for key in _marked(path)}

    assert sorted(shown - set(known_keys())) == []
    assert sorted(set(known_keys()) - shown) == []


def _marked(path: Path) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    marks = [
        call
        for call in calls
        if isinstance(call.func, ast.Attribute) and call.func.attr == "setting"
    ]
    return [str(arg.value) for call in marks for arg in call.args if isinstance(arg, ast.Constant)]
