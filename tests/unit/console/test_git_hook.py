"""The hook that suggests a commit's message: in real repositories, with a socket that answers."""

import socket
from pathlib import Path

import pytest

from selflow.collect.companion.git_hooks import SUFFIX
from selflow.collect.companion.git_hooks import SUGGEST as HOOK
from selflow.core.paths import Root
from tests.unit.console.conftest import Cli
from tests.unit.console.git_world import SUGGESTED, Answering, Repository


def install(cli: Cli, repository: Repository) -> None:
    ended = cli("git", "install", str(repository.folder))
    assert ended.code == 0, ended.err


def test_the_editor_shows_the_suggestion_as_a_comment(
    cli: Cli, repository: Repository, answering: Answering
) -> None:
    install(cli, repository)
    shown = repository.commit()

    assert shown.startswith(f"\n# suggestion: {SUGGESTED}\n")
    assert repository.git("log", "-1", "--format=%B").stdout.strip() == "typed"
    assert answering.requests == [b"commit\x1f0.txt\n\x1f"]


def test_a_commit_that_has_a_message_asks_nothing(
    cli: Cli, repository: Repository, answering: Answering
) -> None:
    install(cli, repository)
    repository.commit("-m", "mine")
    repository.commit("-m", "mine", "--edit")
    repository.git("commit", "--amend", "--no-edit")

    assert answering.requests == []
    assert repository.git("log", "-1", "--format=%B").stdout.strip() == "typed"


@pytest.mark.parametrize("name", ["core.commentChar", "commit.status"])
def test_where_a_comment_would_be_kept_there_is_none(
    cli: Cli, repository: Repository, answering: Answering, name: str
) -> None:
    install(cli, repository)
    repository.git("config", name, ";" if name == "core.commentChar" else "false")

    assert SUGGESTED not in repository.commit()


def test_without_selflow_a_commit_is_as_ever(cli: Cli, root: Root, repository: Repository) -> None:
    before = repository.commit()
    repository.seen.unlink()
    install(cli, repository)
    down = repository.commit()
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(root.socket("suggest.sock")))
    dead.close()
    repository.seen.unlink()

    assert "suggestion" not in before + down + repository.commit()


def test_uninstall_leaves_nothing(cli: Cli, repository: Repository) -> None:
    before = sorted(item.name for item in repository.hooks.iterdir())
    install(cli, repository)
    install(cli, repository)
    ended = cli("git", "uninstall", str(repository.folder))

    assert ended.code == 0
    assert sorted(item.name for item in repository.hooks.iterdir()) == before


def test_a_hook_that_was_there_runs_first_may_refuse_and_comes_back(
    cli: Cli, repository: Repository, answering: Answering
) -> None:
    own = repository.hooks / HOOK
    own.write_text('#!/bin/sh\n[ -z "$REFUSE" ] || exit 7\nprintf "# own\\n" >>"$1"\n')
    own.chmod(0o755)
    text = own.read_text()
    install(cli, repository)
    shown = repository.commit()
    repository.environ = {"REFUSE": "1"}
    (repository.folder / "more.txt").write_text("x")
    repository.git("add", "-A")
    refused = repository.git("commit")
    cli("git", "uninstall", str(repository.folder))

    assert own.is_file()
    assert f"# suggestion: {SUGGESTED}" in shown
    assert "# own" in shown
    assert refused.returncode != 0
    assert own.read_text() == text
    assert not (repository.hooks / (HOOK + SUFFIX)).exists()


def test_hooks_that_are_not_ours_are_left_alone(cli: Cli, repository: Repository) -> None:
    own = repository.hooks / HOOK
    own.write_text("#!/bin/sh\n")
    ended = cli("git", "uninstall", str(repository.folder))

    assert (ended.code, own.exists()) == (2, True)
    assert "is not a hook of SelFlow" in ended.err


def test_hooks_shared_with_other_repositories_are_refused(
    cli: Cli, repository: Repository, tmp_path: Path
) -> None:
    repository.git("config", "core.hooksPath", str(tmp_path / "shared"))
    ended = cli("git", "install", str(repository.folder))

    assert (ended.code, (tmp_path / "shared").exists()) == (4, False)
    assert "core.hooksPath" in ended.err


def test_hooks_elsewhere_are_chained_and_put_back_when_the_owner_asks(
    cli: Cli, repository: Repository, answering: Answering, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    theirs = f"#!/bin/sh\ntouch {tmp_path}/ran\n"
    (shared / HOOK).write_text(theirs)
    (shared / HOOK).chmod(0o750)
    repository.git("config", "core.hooksPath", str(shared))
    assert cli("git", "install", "--hooks-path", str(repository.folder)).code == 0

    assert SUGGESTED in repository.commit()
    assert (tmp_path / "ran").exists()
    assert cli("git", "uninstall", str(repository.folder)).code == 0
    assert [path.name for path in shared.iterdir()] == [HOOK]
    assert ((shared / HOOK).read_text(), (shared / HOOK).stat().st_mode & 0o777) == (theirs, 0o750)


def test_a_folder_without_a_repository_is_one_error(cli: Cli, tmp_path: Path) -> None:
    ended = cli("git", "install", str(tmp_path))

    assert (ended.code, "is not a git repository" in ended.err) == (2, True)
