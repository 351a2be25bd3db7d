"""The files and variables behind the layers."""

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from selflow.core.config import Loaded
from selflow.core.config_files import (
    clear_overrides,
    load_settings,
    read_yaml,
    set_override,
    trust_project,
)
from selflow.core.errors import ConfigError
from selflow.core.paths import Root

NO_VARIABLES: Mapping[str, str] = {}


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """A root with its folders made."""
    root = Root(tmp_path / "state", tmp_path / "config")
    root.make()
    root.profiles.mkdir(parents=True)
    return root


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder two levels into a project that moves the port to 7003."""
    folder = tmp_path / "project" / "src"
    folder.mkdir(parents=True)
    (folder.parent / "selflow.yaml").write_text("serve: {port: 7003}")
    return folder


def port(loaded: Loaded) -> tuple[int, str]:
    """The port and the layer that set it."""
    return loaded.settings.serve.port, loaded.origin("serve.port").layer


def test_each_layer_wins_over_the_one_before(root: Root, work: Path) -> None:
    trust_project(root, work)
    seen = [port(load_settings(root, NO_VARIABLES))]
    (root.profiles / "mine.yaml").write_text("serve: {port: 7001}")
    seen.append(port(load_settings(root, NO_VARIABLES, profile="mine")))
    root.user_settings.write_text("serve: {port: 7002}")
    seen.append(port(load_settings(root, NO_VARIABLES, profile="mine")))
    seen.append(port(load_settings(root, NO_VARIABLES, cwd=work)))
    variables = {"SELFLOW_SERVE__PORT": "7004"}
    seen.append(port(load_settings(root, variables, cwd=work)))
    seen.append(port(load_settings(root, variables, cwd=work, assignments=["serve.port=7005"])))
    set_override(root, "serve.port", 7006)
    seen.append(port(load_settings(root, variables, cwd=work, assignments=["serve.port=7005"])))

    assert seen == [
        (7731, "default"),
        (7001, "profile"),
        (7002, "user"),
        (7003, "project"),
        (7004, "environment"),
        (7005, "command line"),
        (7006, "runtime overrides"),
    ]


def test_a_project_has_no_say_until_it_is_trusted_and_none_after_a_change(
    root: Root, work: Path
) -> None:
    before = port(load_settings(root, NO_VARIABLES, cwd=work))
    path = trust_project(root, work)
    trusted = port(load_settings(root, NO_VARIABLES, cwd=work))
    path.write_text("serve: {port: 7009}")
    changed = port(load_settings(root, NO_VARIABLES, cwd=work))

    assert (before, trusted, changed) == ((7731, "default"), (7003, "project"), (7731, "default"))


def test_a_trusted_project_may_not_loosen(root: Root, work: Path) -> None:
    (work.parent / "selflow.yaml").write_text("privacy: {anonymize: off}")
    trust_project(root, work)

    with pytest.raises(ConfigError, match=r"privacy\.anonymize \(project\): only the owner's own"):
        load_settings(root, NO_VARIABLES, cwd=work)


def test_trusting_where_there_is_no_project_says_so(root: Root, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no selflow\.yaml in"):
        trust_project(root, tmp_path)


def test_the_list_of_trusted_projects_is_private(root: Root, work: Path) -> None:
    trust_project(root, work)

    assert stat.S_IMODE(root.trusted_projects.stat().st_mode) == 0o600


def test_a_broken_list_of_trusted_projects_is_named(root: Root, work: Path) -> None:
    root.trusted_projects.write_text("{")

    with pytest.raises(ConfigError, match=r"cannot read .*trusted\.json") as caught:
        load_settings(root, NO_VARIABLES, cwd=work)
    assert caught.value.hint == "remove it and run selflow config trust"


def test_another_settings_file_replaces_the_users(root: Root, tmp_path: Path) -> None:
    root.user_settings.write_text("serve: {port: 7002}")
    other = tmp_path / "other.yaml"
    other.write_text("serve: {running: 2}")

    assert port(load_settings(root, NO_VARIABLES, config_file=other)) == (7731, "default")
    with pytest.raises(ConfigError, match="no settings file"):
        load_settings(root, NO_VARIABLES, config_file=tmp_path / "absent.yaml")


def test_an_unknown_profile_names_those_there_are(root: Root) -> None:
    (root.profiles / "mine.yaml").write_text("")
    for name in ("none", "../config"):
        with pytest.raises(ConfigError, match="unknown profile") as caught:
            load_settings(root, NO_VARIABLES, profile=name)

        assert {"laptop", "lean", "mine"} <= set(
            caught.value.hint.removeprefix("profiles: ").split(", ")
        )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"serve: [", r"config\.yaml is not valid YAML at line 1"),
        (b"a: 1\nb: :\n :", r"config\.yaml is not valid YAML at line"),
        (b"- 1", r"config\.yaml must hold a map of sections"),
        (b"\xff\xfe\x00", r"cannot read the settings file .*config\.yaml: UnicodeDecodeError"),
        (b"serve: !!python/object/apply:os.system [ls]", r"config\.yaml is not valid YAML"),
    ],
)
def test_a_file_that_is_no_settings_file_is_named(root: Root, content: bytes, message: str) -> None:
    root.user_settings.write_bytes(content)

    with pytest.raises(ConfigError, match=message):
        load_settings(root, NO_VARIABLES)


def test_a_folder_in_the_place_of_a_file_is_named(root: Root) -> None:
    root.user_settings.mkdir()

    with pytest.raises(
        ConfigError, match=r"cannot read the settings file .*config\.yaml: IsADirectoryError"
    ):
        load_settings(root, NO_VARIABLES)


def test_a_project_file_without_read_permission_is_named(
    root: Root, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust_project(root, work)

    def refuse(path: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    # A mode would not stop root, who runs containers
    monkeypatch.setattr(Path, "read_bytes", refuse)

    with pytest.raises(
        ConfigError, match=r"cannot read the settings file .*selflow\.yaml: Permission denied"
    ):
        load_settings(root, NO_VARIABLES, cwd=work)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("serve.port", "'serve.port' \\(command line\\): expected KEY=VALUE"),
        ("serve.prot=1", r"serve\.prot \(command line\): unknown key"),
        ("serve.port=[", "is not a YAML value"),
    ],
)
def test_a_wrong_assignment_is_refused(root: Root, assignment: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings(root, NO_VARIABLES, assignments=[assignment])


def test_two_assignments_cannot_contradict_each_other(root: Root) -> None:
    with pytest.raises(ConfigError, match=r"serve \(command line\): holds a value, so serve\.port"):
        load_settings(root, NO_VARIABLES, assignments=["serve=1", "serve.port=2"])


def test_a_refused_override_leaves_the_file_as_it_was(root: Root) -> None:
    set_override(root, "serve.port", 7006)
    before = root.runtime_overrides.read_bytes()
    for key, value in (
        ("serve.port", 80),
        ("serve.prot", 1),
        ("serve", 1),
        ("privacy.anonymize", False),
    ):
        with pytest.raises(ConfigError):
            set_override(root, key, value)

    assert root.runtime_overrides.read_bytes() == before
    assert stat.S_IMODE(root.runtime_overrides.stat().st_mode) == 0o600


def test_an_override_is_removed_by_none(root: Root) -> None:
    set_override(root, "serve.port", 7006)
    set_override(root, "serve.port", None)

    assert port(load_settings(root, NO_VARIABLES)) == (7731, "default")


def test_a_flag_given_at_start_clears_the_override_of_its_key_alone(root: Root) -> None:
    set_override(root, "serve.port", 7006)
    set_override(root, "serve.running", 2)
    clear_overrides(root, ["serve.port=7005", "ray.dashboard=false"])
    loaded = load_settings(root, NO_VARIABLES, assignments=["serve.port=7005"])

    assert port(loaded) == (7005, "command line")
    assert loaded.settings.serve.running == 2


def test_the_users_file_is_never_written(root: Root) -> None:
    root.user_settings.write_text("# mine\nserve: {port: 7002}\n")
    set_override(root, "serve.port", 7006)

    assert root.user_settings.read_text() == "# mine\nserve: {port: 7002}\n"


def test_an_absent_file_is_empty(tmp_path: Path) -> None:
    assert read_yaml(tmp_path / "absent.yaml") == {}
