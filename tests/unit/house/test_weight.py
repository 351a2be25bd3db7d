"""What is loaded at rest, measured in fresh interpreters."""

import json
import subprocess
import sys

import pytest

from tests.unit.house import rules

PROBE = """
import importlib, json, sys
names, absent = json.loads(sys.argv[1])
for name in absent:
    sys.modules[name] = None
for name in names:
    importlib.import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name, module in sys.modules.items() if module is not None})))
"""
HEAVY = {"torch", "transformers", "peft", "sklearn", "pandas"}


def named(*prefixes: str) -> list[str]:
    """The modules of the four packages below some prefixes; migrations can be run by Alembic alone."""
    paths = [path.with_suffix("") for path, _, _ in rules.modules(rules.HERE)]
    names = [".".join(path.parts).removesuffix(".__init__") for path in paths if "migrations" not in path.parts]
    return [name for name in names if any(f"{name}.".startswith(f"{prefix}.") for prefix in prefixes)]


def loaded_after(names: list[str], absent: tuple[str, ...] = ()) -> set[str]:
    """Top-level modules that are loaded once a fresh interpreter has imported some; ``absent`` cannot be imported."""
    command = [sys.executable, "-c", PROBE, json.dumps([names, absent])]
    done = subprocess.run(command, cwd=rules.HERE, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_the_face_is_light() -> None:
    assert loaded_after(["selflow"]) & {"ray", "torch", "pydantic", "fastapi", "numpy", *HEAVY} == set()


def test_every_rule_works_without_ray_and_torch() -> None:
    rules_alone = [name for name in named("selflow") if not name.startswith("selflow.lm")]

    assert loaded_after(rules_alone, absent=("ray", "torch")) >= {"selflow", "pydantic"}


def test_what_a_person_touches_loads_nothing_heavy() -> None:
    loaded = loaded_after(named("selflow.core", "selflow.sdk", "selflow.console"))

    assert loaded & {"ray", "sqlalchemy", "alembic", *HEAVY} == set()


def test_services_at_rest_are_light() -> None:
    assert loaded_after(named("actors")) & HEAVY == set()


@pytest.mark.parametrize("package", ["serve", "tune"])
def test_what_serves_loads_no_model_library_by_itself(package: str) -> None:
    rays_own = {"pandas"}  # Ray Serve and Ray Tune import it where it is installed

    assert loaded_after(named(package)) & (HEAVY - rays_own) == set()
