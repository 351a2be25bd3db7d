"""The hook that suggests a commit's message: in real repositories, with a socket that answers."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import pytest

from selflow.console.cli.git_hook import BEFORE, HOOK
from selflow.core.paths import Root
from tests.unit.console.conftest import Cli

SUGGESTED = "Fix the build"
EDITOR = 'sh -c \'cat "$1" >>"$SEEN"; echo >>"$SEEN"; printf "%s\\n" typed >"$1"\' editor'


@dataclass
class Shell:
    """A repository, and what its editor saw."""

    folder: Path
    seen: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def hooks(self) -> Path:
        return self.folder / ".git" / "hooks"

    def git(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *args],
            cwd=self.folder,
            env={**os.environ, "GIT_EDITOR": EDITOR, "SEEN": str(self.seen), **self.environ},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def commit(self, *args: str) -> str:
        """A commit of one more file; what the editor showed."""
        number = len(list(self.folder.glob("*.txt")))
        (self.folder / f"{number}.txt").write_text("x")
        self.git("add", "-A")
        done = self.git("commit", *args)
        assert done.returncode == 0, done.stderr
        return self.seen.read_text() if self.seen.exists() else ""


class Answering(Thread):
    """A socket that answers every request alike, and remembers what it was asked."""

    def __init__(self, path: Path, content: bytes) -> None:
        super().__init__(daemon=True)
        self.requests: list[bytes] = []
        self._content = content
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()

    def run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client:
                received = b""
                while not received.endswith(b"\x1f"):
                    received += client.recv(4_096)
                self.requests.append(received.partition(b"\r\n\r\n")[2])
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self._content)}\r\n\r\n"
                client.sendall(head.encode() + self._content)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def shell(tmp_path: Path, tool: Callable[[str], str]) -> Shell:
    tool("git")
    folder = tmp_path / "repository"
    folder.mkdir()
    made = Shell(folder, tmp_path / "seen")
    made.git("init", "-q")
    return made


@pytest.fixture
def answering(root: Root, tool: Callable[[str], str]) -> Iterator[Answering]:
    tool("curl")
    thread = Answering(root.socket("suggest.sock"), f"dec_1\t{SUGGESTED}\n".encode())
    thread.start()
    yield thread
    thread.close()
    thread.join(10)


def install(cli: Cli, shell: Shell) -> None:
    ended = cli("git", "install", str(shell.folder))
    assert ended.code == 0, ended.err


def test_the_editor_shows_the_suggestion_as_a_comment(
    cli: Cli, shell: Shell, answering: Answering
) -> None:
    install(cli, shell)
    shown = shell.commit()

    assert shown.startswith(f"\n# suggestion: {SUGGESTED}\n")
    assert shell.git("log", "-1", "--format=%B").stdout.strip() == "typed"
    assert answering.requests == [b"commit\x1f0.txt\n\x1f"]


def test_a_commit_that_has_a_message_asks_nothing(
    cli: Cli, shell: Shell, answering: Answering
) -> None:
    install(cli, shell)
    shell.commit("-m", "mine")
    shell.commit("-m", "mine", "--edit")
    shell.git("commit", "--amend", "--no-edit")

    assert answering.requests == []
    assert shell.git("log", "-1", "--format=%B").stdout.strip() == "typed"


@pytest.mark.parametrize("name", ["core.commentChar", "commit.status"])
def test_where_a_comment_would_be_kept_there_is_none(
    cli: Cli, shell: Shell, answering: Answering, name: str
) -> None:
    install(cli, shell)
    shell.git("config", name, ";" if name == "core.commentChar" else "false")

    assert SUGGESTED not in shell.commit()


def test_without_selflow_a_commit_is_as_ever(cli: Cli, root: Root, shell: Shell) -> None:
    before = shell.commit()
    shell.seen.unlink()
    install(cli, shell)
    down = shell.commit()
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(root.socket("suggest.sock")))
    dead.close()
    shell.seen.unlink()

    assert "suggestion" not in before + down + shell.commit()


def test_uninstall_leaves_nothing(cli: Cli, shell: Shell) -> None:
    before = sorted(item.name for item in shell.hooks.iterdir())
    install(cli, shell)
    install(cli, shell)
    ended = cli("git", "uninstall", str(shell.folder))

    assert ended.code == 0
    assert sorted(item.name for item in shell.hooks.iterdir()) == before


def test_a_hook_that_was_there_runs_first_may_refuse_and_comes_back(
    cli: Cli, shell: Shell, answering: Answering
) -> None:
    own = shell.hooks / HOOK
    own.write_text('#!/bin/sh\n[ -z "$REFUSE" ] || exit 7\nprintf "# own\\n" >>"$1"\n')
    own.chmod(0o755)
    text = own.read_text()
    install(cli, shell)
    shown = shell.commit()
    shell.environ = {"REFUSE": "1"}
    (shell.folder / "more.txt").write_text("x")
    shell.git("add", "-A")
    refused = shell.git("commit")
    cli("git", "uninstall", str(shell.folder))

    assert own.is_file()
    assert f"# suggestion: {SUGGESTED}" in shown
    assert "# own" in shown
    assert refused.returncode != 0
    assert own.read_text() == text
    assert not (shell.hooks / BEFORE).exists()


def test_hooks_that_are_not_ours_are_left_alone(cli: Cli, shell: Shell) -> None:
    own = shell.hooks / HOOK
    own.write_text("#!/bin/sh\n")
    ended = cli("git", "uninstall", str(shell.folder))

    assert (ended.code, own.exists()) == (2, True)
    assert "is not a hook of SelFlow" in ended.err


def test_hooks_shared_with_other_repositories_are_refused(
    cli: Cli, shell: Shell, tmp_path: Path
) -> None:
    shell.git("config", "core.hooksPath", str(tmp_path / "shared"))
    ended = cli("git", "install", str(shell.folder))

    assert (ended.code, (tmp_path / "shared").exists()) == (4, False)
    assert "core.hooksPath" in ended.err


def test_a_folder_without_a_repository_is_one_error(cli: Cli, tmp_path: Path) -> None:
    ended = cli("git", "install", str(tmp_path))

    assert (ended.code, "is not a git repository" in ended.err) == (2, True)
