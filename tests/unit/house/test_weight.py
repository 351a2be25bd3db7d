"""What is loaded at rest, measured in fresh interpreters."""

import json
import subprocess
import sys

import pytest

from tests.unit.house import rules

pytestmark = pytest.mark.slow

PROBE = """
import importlib, json, sys
groups, absent = json.loads(sys.argv[1])
for name in absent:
    sys.modules[name] = None
for names in groups:
    for name in names:
        importlib.import_module(name)
    loaded = (name for name, module in sys.modules.items() if module is not None)
    print(json.dumps(sorted({name.partition(".")[0] for name in loaded})))
"""
HEAVY = {"torch", "transformers", "peft", "sklearn", "pandas"}


def named(*prefixes: str) -> list[str]:
    """The modules of the four packages below some prefixes; migrations can be run by
    Alembic alone, and importing ``__main__`` runs it.
    """
    paths = [path.with_suffix("") for path, _, _ in rules.modules(rules.HERE)]
    names = [
        ".".join(path.parts).removesuffix(".__init__")
        for path in paths
        if {"migrations", "__main__"}.isdisjoint(path.parts)
    ]
    return [
        name for name in names if any(f"{name}.".startswith(f"{prefix}.") for prefix in prefixes)
    ]


def loaded_after(*groups: list[str], absent: tuple[str, ...] = ()) -> list[set[str]]:
    """Top-level modules that a fresh interpreter holds after each group of imports; ``absent``
    cannot be imported.
    """
    command = [sys.executable, "-c", PROBE, json.dumps([groups, absent])]
    done = subprocess.run(command, cwd=rules.HERE, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    return [set(json.loads(line)) for line in done.stdout.splitlines()]


def test_what_a_person_touches_loads_nothing_heavy() -> None:
    face, touched = loaded_after(
        ["selflow"], named("selflow.core", "selflow.sdk", "selflow.console")
    )

    assert face & {"ray", "torch", "pydantic", "fastapi", "numpy", *HEAVY} == set()
    assert touched & {"ray", "sqlalchemy", "alembic", *HEAVY} == set()


def test_every_rule_works_without_ray_and_torch() -> None:
    rules_alone = [name for name in named("selflow") if not name.startswith("selflow.lm")]
    (loaded,) = loaded_after(rules_alone, absent=("ray", "torch"))

    assert loaded >= {"selflow", "pydantic"}


def test_services_at_rest_are_light_and_what_serves_loads_no_model_library_by_itself() -> None:
    at_rest, serving = loaded_after(named("actors"), named("serve", "tune"))

    assert at_rest & HEAVY == set()
    assert serving & HEAVY <= {"pandas"}, "Ray Serve and Ray Tune import it where it is installed"


def test_who_only_launches_loads_what_it_needs_when_it_needs_it() -> None:
    launchers, search = loaded_after(
        ["actors.launchers"],
        ["selflow.lm.data", "tune.search"],
    )

    assert launchers & {"sqlalchemy", "alembic", "numpy", *HEAVY} == set()
    assert search & {"torch", "transformers", "peft"} == set()
