"""One private root: who may read it, and where it lies."""

import os
import stat
from pathlib import Path

import pytest

from selflow.core.errors import ConfigError
from selflow.core.paths import (
    Root,
    disposable_folder,
    entries,
    find_root,
    private_folder,
    remove_entry,
    write_private,
)


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def test_every_folder_of_the_root_is_private(tmp_path: Path) -> None:
    root = Root(tmp_path / "state", tmp_path / "state")
    previous = os.umask(0)
    try:
        root.make()
    finally:
        os.umask(previous)
    folders = [root.path, *(path for path in root.path.rglob("*") if path.is_dir())]

    assert {path.name for path in folders} >= {
        "events",
        "artifacts",
        "config",
        "spool",
        "run",
        "log",
    }
    assert {mode(path) for path in folders} == {0o700}


def test_a_folder_that_others_could_read_is_tightened(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)

    assert mode(private_folder(folder)) == 0o700


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)

    with pytest.raises(ConfigError, match="belongs to another user"):
        private_folder(tmp_path / "theirs")


def test_a_link_of_another_user_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "documents").mkdir()
    link = tmp_path / "state"
    link.symlink_to(tmp_path / "documents")
    if os.getuid() == 0:
        os.lchown(link, 65_534, 65_534)
    else:
        monkeypatch.setattr(os, "getuid", lambda: os.lstat(link).st_uid + 1)

    with pytest.raises(ConfigError, match="belongs to another user"):
        private_folder(link)


def test_the_short_folder_is_never_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another account of the machine can put a link where the folder would be."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "shared"))
    root = Root(tmp_path / ("long" * 25), tmp_path)
    (tmp_path / "documents" / "ray").mkdir(parents=True)
    (tmp_path / "documents" / "ray" / "thesis").write_text("years of work")
    (tmp_path / "shared").mkdir(mode=0o700)
    root.short_run().symlink_to(tmp_path / "documents")

    with pytest.raises(ConfigError, match="is a symbolic link"):
        root.make()
    remove_entry(root.short_run(), "ray")

    assert (tmp_path / "documents" / "ray" / "thesis").read_text() == "years of work"


def test_a_short_folder_that_others_could_replace_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(shared))

    with pytest.raises(ConfigError, match="other users can replace"):
        Root(tmp_path / ("long" * 25), tmp_path).make()
    shared.chmod(0o1777)
    Root(tmp_path / ("long" * 25), tmp_path).make()


def test_files_in_run_that_are_not_ours_stay(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "fast.sh").write_text("the owner's own")

    with pytest.raises(ConfigError, match="holds files that SelFlow did not create"):
        Root(tmp_path, tmp_path).make()
    remove_entry(tmp_path / "run", "fast.sh")

    assert entries(tmp_path / "run") == []
    assert (tmp_path / "run" / "fast.sh").exists()


def test_a_link_inside_is_removed_and_not_followed(tmp_path: Path) -> None:
    folder = disposable_folder(tmp_path / "run")
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "thesis").write_text("years of work")
    (folder / "ray").symlink_to(tmp_path / "documents")
    (folder / "session").mkdir()
    (folder / "session" / "log").write_text("x")
    before = [path.name for path in entries(folder)]

    remove_entry(folder, "ray")
    remove_entry(folder, "session")

    assert before == ["ray", "session"]
    assert entries(folder) == []
    assert (tmp_path / "documents" / "thesis").exists()
    assert disposable_folder(folder) == folder


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    with pytest.raises(ConfigError, match=f"cannot create the folder {tmp_path}/state") as caught:
        private_folder(tmp_path / "state")
    assert "SELFLOW_HOME" in caught.value.hint


def test_a_private_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("a longer text than before")
    path.chmod(0o644)
    write_private(path, "new")

    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    write_private(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "\ud800")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_socket_lies_in_the_root_while_its_path_is_short(tmp_path: Path) -> None:
    root = Root(Path("/short"), Path("/short"))

    assert root.socket("ingest.sock") == Path("/short/run/ingest.sock")


def test_a_long_root_gets_a_short_private_folder_for_sockets(tmp_path: Path) -> None:
    root = Root(tmp_path / ("long" * 25), tmp_path)
    root.make()
    path = root.socket("ingest.sock")

    assert len(os.fsencode(path)) <= 107
    assert path.parent == root.short_run()
    assert mode(path.parent) == 0o700
    assert root.short_run() != Root(tmp_path / "other", tmp_path).short_run()


def test_the_command_line_wins_over_the_environment_and_that_over_xdg(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "conf"))

    assert find_root("/asked", {"SELFLOW_HOME": "/env"}).path == Path("/asked")
    assert find_root(None, {"SELFLOW_HOME": "~/env"}) == Root(home / "env", home / "env")
    assert find_root(None, {}) == Root(home / "data/selflow", home / "conf/selflow")


def test_everything_of_the_owner_lies_below_the_root() -> None:
    root = Root(Path("/r"), Path("/c"))
    below = [
        root.events,
        root.catalog,
        root.artifacts,
        root.runtime_overrides,
        root.trusted_projects,
        root.spool,
    ]

    assert all(
        path.is_relative_to("/r")
        for path in (*below, root.run, root.log, root.token, root.endpoints)
    )
    assert (root.user_settings, root.profiles) == (Path("/c/config.yaml"), Path("/c/profiles"))
