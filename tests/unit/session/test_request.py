"""The settings that ``selflow up`` runs on are those that ``selflow config explain`` shows."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from selflow.core.config_files import set_override, trust_project
from selflow.core.invocation import Invocation
from selflow.core.paths import Root, settings_variables
from selflow.core.session_files import SessionRequest, read_request, write_request

KEYS = {
    "user": ("serve.port", 7740),
    "project": ("buffer.trigger_events", 500),
    "environment": ("learning.seed", 9),
    "runtime": ("lora.rank", 4),
}
VARIABLES = {
    "SELFLOW_LEARNING__SEED": "9",
    "SELFLOW_PRIVACY__EXCLUDE_PATHS": "[environment]",
    "SELFLOW_TOKEN": "sf_secret",
}


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invocation:
    """Every layer but the command line says something of its own, and excludes a path."""
    root, project = Root(tmp_path / "root", tmp_path / "root"), tmp_path / "project" / "below"
    root.make()
    project.mkdir(parents=True)
    root.user_settings.write_text(yaml.safe_dump(said("user")))
    (project.parent / "selflow.yaml").write_text(yaml.safe_dump(said("project")))
    trust_project(root, project)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    set_override(root, "lora.rank", 4)
    return Invocation(root, VARIABLES, project)


def said(layer: str) -> dict[str, Any]:
    section, name = KEYS[layer][0].split(".")
    return {section: {name: KEYS[layer][1]}, "privacy": {"exclude_paths": [layer]}}


def asked(call: Invocation) -> SessionRequest:
    return SessionRequest(cwd=str(call.cwd), environment=settings_variables(call.environ))


def test_up_runs_on_every_layer_that_config_explains(call: Invocation) -> None:
    explained, runs_on = call.settings(), asked(call).settings(call.root)

    assert runs_on == explained.settings
    assert [explained.origin(key).layer for key, _ in KEYS.values()] == [
        *("user", "project", "environment", "runtime overrides")
    ]
    assert runs_on.privacy.exclude_paths == ("user", "project", "environment")


def test_a_rebuild_elsewhere_brings_the_same_settings_back(
    call: Invocation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = call.settings().settings
    write_request(call.root, asked(call))
    for name in call.environ:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    found = read_request(call.root)

    assert found is not None
    assert found.settings(call.root) == wanted
    assert "sf_secret" not in call.root.request.read_text()


def test_a_project_that_changed_has_no_say_in_a_rebuild(call: Invocation) -> None:
    (call.cwd.parent / "selflow.yaml").write_text("buffer: {trigger_events: 7}\n")

    assert asked(call).settings(call.root).buffer.trigger_events == 20_000
