"""``selflow config``."""

from contextlib import closing
from pathlib import Path

import pytest

from selflow.core.paths import Root
from selflow.core.session_files import SessionRequest, write_request
from selflow.store.catalog import Catalog
from tests.unit.console.conftest import Cli


def test_check_names_every_bad_glob(cli: Cli, root: Root, tmp_path: Path) -> None:
    root.user_settings.write_text(
        f"data_sources: [{{type: file_system, paths: [{tmp_path}], exclude: ['*.o', '!']}}]\n"
        "privacy: {exclude_paths: ['!']}\n"
    )
    ended = cli("config", "check", "--json")

    assert ended.code == 5
    assert [fault["detail"].partition(":")[0] for fault in ended.document["faults"]] == [
        "privacy.exclude_paths[0]",
        "data_sources[0].exclude[1]",
    ]
    assert "'!'" in ended.document["faults"][1]["detail"]
    assert "gitignore" in ended.document["faults"][1]["hint"]


def test_show_lists_every_key_with_its_layer(cli: Cli, root: Root) -> None:
    root.user_settings.write_text("serve: {port: 7800}\n")
    items = {item["key"]: item for item in cli("config", "show", "--json").document["items"]}

    assert items["serve.port"] == {
        "key": "serve.port",
        "value": 7800,
        "layer": "user",
        "default": 7731,
    }
    assert items["serve.running"]["layer"] == "default"


def test_get_knows_the_names_of_the_requirement(cli: Cli) -> None:
    assert cli("config", "get", "buffer.budget_mb").out == "64000000\n"


def test_explain_says_which_layer_won_and_what_all_said(
    cli: Cli, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    root.user_settings.write_text("serve: {port: 7800}\n")
    monkeypatch.setenv("SELFLOW_SERVE__PORT", "7801")
    document = cli("config", "explain", "serve.port", "--json").document
    text = cli("config", "explain", "serve.port").out

    assert (document["value"], document["layer"], document["default"]) == (
        7801,
        "environment",
        7731,
    )
    assert document["said"] == [
        {"layer": "user", "value": 7800},
        {"layer": "environment", "value": 7801},
    ]
    assert document["meaning"] == "The port; the next free one if it is busy."
    assert "from: environment" in text
    assert "set by user: 7800" in text


def test_explain_shows_what_the_running_session_was_given(cli: Cli, root: Root) -> None:
    root.user_settings.write_text("serve: {port: 7740}\n")
    without = cli("config", "explain", "serve.port", "--json").document
    root.make()
    write_request(root, SessionRequest(assignments=("serve.port=7750",), environment={}))
    document = cli("config", "explain", "serve.port", "--json").document

    assert without["session"] is None
    assert (document["value"], document["layer"]) == (7740, "user")
    assert document["session"] == {"value": 7750, "layer": "command line"}
    shown = cli("config", "explain", "serve.port").out
    assert "running session: 7750 (from: command line)" in shown


def test_explain_says_the_alias_and_that_exclusions_are_merged(cli: Cli) -> None:
    assert "alias: buffer.budget_mb" in cli("config", "explain", "buffer.budget_bytes").out
    assert "merged" in cli("config", "explain", "privacy.exclude_apps").out


def test_an_unknown_key_is_refused_by_name(cli: Cli) -> None:
    ended = cli("config", "get", "serve.prt")

    assert ended.code == 2
    assert "serve.prt" in ended.err
    assert "did you mean 'port'?" in ended.err


def test_check_finds_a_wrong_value_and_ends_with_five(cli: Cli, root: Root) -> None:
    root.user_settings.write_text("serve: {port: 80}\n")
    ended = cli("config", "check", "--json")

    assert ended.code == 5
    assert ended.document["ok"] is False
    assert "serve.port (user)" in ended.document["faults"][0]["detail"]


def test_check_finds_a_watched_folder_that_is_not_there(cli: Cli, root: Root) -> None:
    root.user_settings.write_text("data_sources: [{type: file_system, paths: [/nowhere/at/all]}]\n")
    ended = cli("config", "check")

    assert ended.code == 5
    assert "folder not found: /nowhere/at/all" in ended.out


def test_check_is_content_with_right_settings(cli: Cli) -> None:
    ended = cli("config", "check")

    assert (ended.code, ended.out) == (0, "the settings are valid\n")


def test_set_writes_an_override_in_our_unit_and_unset_takes_it_back(cli: Cli, root: Root) -> None:
    assert (
        cli("config", "set", "buffer.budget_mb", "32").out
        == "buffer.budget_bytes: 64000000 -> 32000000\n"
    )
    assert (
        cli("config", "explain", "buffer.budget_bytes", "--json").document["layer"]
        == "runtime overrides"
    )
    assert (
        cli("config", "unset", "buffer.budget_mb").out
        == "buffer.budget_bytes: 32000000 -> 64000000\n"
    )
    assert not root.user_settings.exists()


@pytest.mark.parametrize(
    "args", [("set", "serve.port", "7800"), ("unset", "serve.port"), ("trust",)]
)
def test_a_dry_run_changes_nothing(cli: Cli, root: Root, args: tuple[str, ...]) -> None:
    (Path.cwd() / "selflow.yaml").write_text("serve: {port: 7900}\n")
    cli("config", "set", "serve.port", "7799")
    before = root.runtime_overrides.read_text()

    assert cli("config", *args, "--dry-run").code == 0
    assert root.runtime_overrides.read_text() == before
    assert not root.trusted_projects.exists()


def test_an_override_that_contradicts_another_layer_is_taken_back(cli: Cli, root: Root) -> None:
    root.user_settings.write_text("ingest: {max_batch_bytes: 20000, max_event_bytes: 2000}\n")
    cli("config", "set", "ingest.max_event_bytes", "3000")
    ended = cli("config", "set", "ingest.max_event_bytes", "30000")

    assert ended.code == 2
    assert "exceeds" in ended.err
    assert cli("config", "get", "ingest.max_event_bytes").out == "3000\n"


def test_set_without_a_value_points_to_unset(cli: Cli) -> None:
    ended = cli("config", "set", "serve.port", "null")

    assert ended.code == 2
    assert "selflow config unset serve.port" in ended.err


def test_an_override_may_not_loosen_privacy(cli: Cli) -> None:
    assert cli("config", "set", "privacy.anonymize", "false").code == 2
    assert cli("config", "get", "privacy.anonymize").out == "true\n"


def test_a_project_file_has_a_say_only_once_it_is_trusted(cli: Cli, root: Root) -> None:
    project = Path.cwd() / "selflow.yaml"
    project.write_text("serve: {port: 7900}\n")

    assert cli("config", "get", "serve.port").out == "7731\n"
    assert "is ignored" in cli("config", "check").err
    assert cli("config", "trust", "--json").document == {"path": str(project), "dry_run": False}
    assert cli("config", "get", "serve.port").out == "7900\n"


def test_trust_without_a_project_file_is_wrong_usage(cli: Cli) -> None:
    assert cli("config", "trust").code == 2
    assert cli("config", "trust", "--dry-run").code == 2


def test_path_names_the_files(cli: Cli, root: Root) -> None:
    assert cli("config", "path", "--json").document == {
        "user": str(root.user_settings),
        "project": None,
        "runtime_overrides": str(root.runtime_overrides),
        "root": str(root.path),
    }


def test_a_change_is_audited_by_its_key_and_says_when_a_session_has_it(
    cli: Cli, root: Root
) -> None:
    with closing(Catalog.open(root.catalog)) as catalog:
        alone = cli("config", "set", "lora.rank", "4")
        write_request(root, SessionRequest())
        running = cli("config", "set", "ray.dashboard", "false")
        cli("config", "unset", "lora.rank")
        entries = [(e.action, dict(e.details)) for e in catalog.audit.entries(0, 9)]

    assert alone.err == ""
    assert "after: selflow down, then selflow up" in running.err
    assert entries == [
        ("settings.change", {"set": ["lora.rank"], "reset": []}),
        ("settings.change", {"set": ["ray.dashboard"], "reset": []}),
        ("settings.change", {"set": [], "reset": ["lora.rank"]}),
    ]
