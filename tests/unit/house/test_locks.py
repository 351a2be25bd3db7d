"""The locks for our generic package names, and proof that each one shuts."""

import importlib.util
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.house import rules

LOCKS = [rules.main_blocks, rules.misnamed_test_folders, rules.bare_namesakes, rules.machine_traces]
FAULTS: list[tuple[Callable[[Path], list[str]], str, str]] = [
    (rules.main_blocks, "serve/app.py", 'if __name__ == "__main__":\n    run()\n'),
    (rules.misnamed_test_folders, "tests/serve/__init__.py", ""),
    (rules.misnamed_test_folders, "tests/ray/__init__.py", ""),
    (rules.misnamed_test_folders, "tests/unit/plan/test_plan.py", ""),
    (rules.bare_namesakes, "actors/m.py", "import serve\n"),
    (rules.bare_namesakes, "actors/m.py", "from ray import serve\n"),
    (rules.bare_namesakes, "tune/m.py", "import ray.tune\n"),
    (rules.machine_traces, "docs/guide.md", f"cd {rules.HERE}/docs\n"),
    (rules.machine_traces, "Makefile", "pip install --extra-" + "index-url there\n"),
]
CONTRACTS = {
    "imports point down",
    "a new folder takes a floor first",
    "the rules start nothing",
    "what a person touches stays light",
    "one door to torch",
    "one door to clustering",
    "one door to the disk",
    "nobody imports the console",
    "no two modules need each other",
}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.__name__)
def test_the_house_is_locked(lock: Callable[[Path], list[str]]) -> None:
    assert lock(rules.HERE) == []


@pytest.mark.parametrize(
    ("lock", "name", "text"), FAULTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_each_lock_sees_its_fault(
    lock: Callable[[Path], list[str]], name: str, text: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)

    assert len(lock(tmp_path)) == 1


def test_the_right_form_of_each_import_is_let_through(tmp_path: Path) -> None:
    (tmp_path / "serve").mkdir()
    (tmp_path / "serve/m.py").write_text(
        "from ray import serve as ray_serve\nfrom serve.app import build\n"
    )

    assert rules.bare_namesakes(tmp_path) == []


@pytest.mark.parametrize("package", rules.PACKAGES)
def test_the_four_packages_lie_beside_each_other(package: str) -> None:
    spec = importlib.util.find_spec(package)

    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).parent == rules.HERE / package


def test_all_floors_are_laid() -> None:
    tools = tomllib.loads((rules.HERE / "pyproject.toml").read_text())["tool"]

    assert {contract["name"] for contract in tools["importlinter"]["contracts"]} == CONTRACTS
    assert tools["importlinter"]["root_packages"] == list(rules.PACKAGES)


def test_every_banned_call_says_what_to_do_instead() -> None:
    banned = tomllib.loads((rules.HERE / "pyproject.toml").read_text())["tool"]["ruff"]["lint"][
        "flake8-tidy-imports"
    ]

    assert set(banned["banned-api"]) == {
        "time.time",
        "time.sleep",
        "random.random",
        "pickle",
        "ray.get_actor",
    }
    assert all(entry["msg"] for entry in banned["banned-api"].values())
