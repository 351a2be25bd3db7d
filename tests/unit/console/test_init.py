"""``selflow init``: consent per kind of source, recorded and audited."""

import io
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from actors.plan import Plan, collector_section
from selflow.core.health import Health
from selflow.core.paths import Root
from selflow.core.session_files import SessionRequest, write_request
from selflow.core.settings import Settings
from selflow.store.catalog import Catalog
from tests.unit.console.conftest import Cli


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "watched"
    made.mkdir()
    return made


def granted(cli: Cli) -> set[str]:
    return {
        item["source"]
        for item in cli("init", "--list", "--json").document["items"]
        if item["is_granted"]
    }


def test_without_a_terminal_it_says_which_options_answer(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    ended = cli("init")

    assert ended.code == 2
    assert "--grant KIND" in ended.err


def test_a_grant_is_recorded_audited_and_listed(cli: Cli, root: Root) -> None:
    ended = cli("init", "--grant", "ingest", "--grant", "system_metrics")
    catalog = Catalog.open(root.catalog)
    acts = [(entry.actor, entry.action, entry.subject) for entry in catalog.audit.entries(0, 10)]
    catalog.close()

    assert "never: which programs run" in ended.out
    assert granted(cli) == {"ingest", "system_metrics"}
    assert set(acts) == {
        ("owner", "consent.grant", "ingest"),
        ("owner", "consent.grant", "system_metrics"),
    }


@pytest.mark.setting("store.catalog_url")
def test_the_consent_is_written_into_the_catalog_that_the_settings_name(
    cli: Cli, root: Root, tmp_path: Path
) -> None:
    root.user_settings.write_text(f"store: {{catalog_url: 'sqlite:///{tmp_path / 'other.db'}'}}\n")
    cli("init", "--grant", "ingest")

    assert (tmp_path / "other.db").exists()
    assert not root.catalog.exists()
    assert granted(cli) == {"ingest"}


def test_the_first_settings_file_is_written(cli: Cli, root: Root, folder: Path) -> None:
    document = cli("init", "--yes", "--watch", str(folder), "--json").document

    assert document["settings"]["written"] is True
    assert yaml.safe_load(root.user_settings.read_text()) == {
        "data_sources": [
            {"type": "file_system", "paths": [str(folder)]},
            {"type": "system_metrics"},
            {"type": "shell_history"},
            {"type": "shell_companion"},
            {"type": "browser_history"},
            {"type": "application_usage"},
        ]
    }
    assert cli("config", "check").code == 0


@pytest.mark.setting("data_sources")
def test_an_existing_settings_file_is_never_rewritten(cli: Cli, root: Root, folder: Path) -> None:
    mine = f"# mine\ndata_sources: [{{type: file_system, paths: [{folder}]}}]\n"
    root.user_settings.write_text(mine)
    ended = cli("init", "--grant", "file_system", "--grant", "shell_history")

    assert root.user_settings.read_text() == mine
    assert "data_sources:\n- type: shell_history\n" in ended.out
    assert f"  folder: {folder}\n" in ended.out


def test_watch_allows_files_below_that_folder(cli: Cli, folder: Path) -> None:
    document = cli("init", "--watch", str(folder), "--json").document

    assert document["granted"] == [{"source": "file_system", "details": {"paths": [str(folder)]}}]


def test_another_folder_leaves_the_first_allowed(cli: Cli, folder: Path, tmp_path: Path) -> None:
    cli("init", "--watch", str(folder))
    document = cli("init", "--watch", str(tmp_path), "--json").document

    assert document["granted"][0]["details"]["paths"] == [str(folder), str(tmp_path)]


def test_watch_allows_no_folder_that_it_does_not_name(
    cli: Cli, root: Root, folder: Path, tmp_path: Path
) -> None:
    root.user_settings.write_text(f"data_sources: [{{type: file_system, paths: [{tmp_path}]}}]\n")
    document = cli("init", "--watch", str(folder), "--json").document

    assert document["granted"][0]["details"]["paths"] == [str(folder)]


@pytest.fixture
def session(root: Root) -> Iterator[Catalog]:
    """A running session, as ``selflow up`` records it."""
    write_request(root, SessionRequest(cwd=str(Path.cwd()), environment={}))
    with closing(Catalog.open(root.catalog)) as catalog:
        yield catalog


def runs_on(catalog: Catalog, root: Root, settings: Settings) -> None:
    """The collector says of itself what it runs on."""
    section = collector_section(Plan(root, settings, "1", 7731, False, 0.0))
    me = Health("collector", "1", section.config_hash, 1, 1, "ok", 0, "", 1)
    catalog.services.put(me, 0, 1)


def test_without_a_session_init_says_what_starts_collecting(cli: Cli, folder: Path) -> None:
    assert cli("init", "--watch", str(folder)).out.endswith("to start collecting: selflow up\n")


def test_a_session_on_older_settings_is_told_to_take_the_new(
    cli: Cli, root: Root, folder: Path, session: Catalog
) -> None:
    runs_on(session, root, Settings())
    ended = cli("init", "--watch", str(folder))

    assert "written" in ended.out
    assert ended.out.endswith("to apply it: selflow up\n")


def test_a_session_that_knows_the_source_starts_within_seconds(
    cli: Cli, root: Root, folder: Path, session: Catalog
) -> None:
    source = {"type": "file_system", "paths": [str(folder)]}
    root.user_settings.write_text(yaml.safe_dump({"data_sources": [source]}))
    runs_on(session, root, Settings.model_validate({"data_sources": [source]}))
    ended = cli("init", "--watch", str(folder))

    assert ended.out.endswith("the running session starts collecting within seconds\n")


def test_files_need_a_folder(cli: Cli) -> None:
    assert cli("init", "--grant", "file_system").code == 2
    assert "was skipped" in cli("init", "--yes").err
    assert "file_system" not in granted(cli)


def test_a_folder_that_is_not_there_is_named(cli: Cli) -> None:
    ended = cli("init", "--watch", "/nowhere/at/all")

    assert ended.code == 2
    assert "folder not found: /nowhere/at/all" in ended.err


def test_what_was_allowed_can_be_taken_back(cli: Cli) -> None:
    cli("init", "--grant", "ingest")

    assert cli("init", "--revoke", "ingest").out == "ingest: revoked\n"
    assert granted(cli) == set()
    assert "was not allowed" in cli("init", "--revoke", "ingest").err


def allowed_folders(cli: Cli) -> list[str]:
    items = {each["source"]: each for each in cli("init", "--list", "--json").document["items"]}
    found: list[str] = items["file_system"]["details"]["paths"]
    return found if items["file_system"]["is_granted"] else []


def test_one_folder_can_be_taken_back(cli: Cli, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    cli("init", "--watch", str(folder), "--watch", str(other))
    ended = cli("init", "--unwatch", str(folder))
    one_left = allowed_folders(cli)
    folder.rmdir()
    again = cli("init", "--unwatch", str(folder))
    cli("init", "--unwatch", str(tmp_path))

    assert (ended.out, one_left) == (f"{folder}: revoked\n", [str(other)])
    assert f"{folder} was not allowed before" in again.err
    assert (again.code, granted(cli)) == (0, set())


def test_a_part_of_an_allowed_folder_cannot_be_taken_back(
    cli: Cli, folder: Path, tmp_path: Path
) -> None:
    cli("init", "--watch", str(tmp_path))
    ended = cli("init", "--unwatch", str(folder))

    assert ended.code == 2
    assert f"use --unwatch {tmp_path}, or exclude it: privacy.exclude_paths" in ended.err
    assert allowed_folders(cli) == [str(tmp_path)]


def test_one_folder_may_take_the_place_of_another(cli: Cli, folder: Path, tmp_path: Path) -> None:
    cli("init", "--watch", str(folder))
    cli("init", "--watch", str(tmp_path), "--unwatch", str(folder))

    assert allowed_folders(cli) == [str(tmp_path)]


def test_a_folder_inside_a_watched_one_needs_no_new_settings(
    cli: Cli, root: Root, folder: Path, tmp_path: Path
) -> None:
    root.user_settings.write_text(f"data_sources: [{{type: file_system, paths: [{tmp_path}]}}]\n")
    document = cli("init", "--watch", str(folder), "--json").document

    assert document["settings"]["to_add"] == ""


def test_a_dry_run_records_nothing(cli: Cli, root: Root) -> None:
    ended = cli("init", "--yes", "--dry-run")

    assert "would be allowed" in ended.out
    assert not root.catalog.exists()
    assert not root.user_settings.exists()


def test_an_unknown_kind_is_refused_by_name(cli: Cli) -> None:
    ended = cli("init", "--grant", "microphone")

    assert ended.code == 2
    assert "microphone" in ended.err


def test_a_person_is_asked_for_each_kind(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = io.StringIO(f"y\n{folder}\nno\n\nyes\n")
    monkeypatch.setattr(answers, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", answers)
    ended = cli("init", "--json")

    assert "allow? [y/N]" in ended.err
    assert [item["source"] for item in ended.document["granted"]] == ["file_system", "ingest"]


def test_what_is_on_the_machine_is_shown_and_nothing_is_allowed(
    cli: Cli, root: Root, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / ".bash_history").write_text("ls\n")
    document = cli("init", "--find", "--json").document

    assert document["found"][0] == {
        "kind": "shell_history",
        "location": "~/.bash_history",
        "count": 1,
        "unit": "lines",
        "next_step": "selflow import shell ~/.bash_history",
    }
    assert not root.catalog.exists()
    assert "to allow a kind: selflow init" in cli("init", "--find").out


def test_documents_are_allowed_by_folder(cli: Cli, root: Root, folder: Path) -> None:
    cli("init", "--grant", f"documents={folder}")

    assert yaml.safe_load(root.user_settings.read_text()) == {
        "data_sources": [{"type": "documents", "paths": [str(folder)]}]
    }
    assert granted(cli) == {"documents"}


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("documents", "documents needs a folder"),
        ("documents=/nowhere", "folder not found"),
        ("ingest=/tmp", "ingest has no folders"),
    ],
)
def test_a_folder_that_is_missing_or_too_many_is_refused(cli: Cli, option: str, why: str) -> None:
    ended = cli("init", "--grant", option)

    assert ended.code == 2
    assert why in ended.err


def test_commits_are_allowed_by_the_command_that_is_named(cli: Cli) -> None:
    ended = cli("init", "--grant", "git_commits")

    assert ended.code == 2
    assert "selflow git install --record" in ended.err
