"""``selflow shell``: what an installation changes, and that nothing of it stays."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from selflow.collect.companion.hooks import BUDGET_S
from selflow.core.paths import Root
from tests.unit.collect.companion.test_records import record
from tests.unit.console.conftest import Cli
from tests.unit.shells.suggest_server import SuggestServer

RC = {"bash": ".bashrc", "zsh": ".zshrc", "fish": "xdg_config_home/fish/conf.d/selflow.fish"}


@pytest.fixture(autouse=True)
def _no_folder_of_zsh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZDOTDIR", raising=False)


def tree(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, with the content of files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if "catalog" not in path.name
    }


@pytest.mark.parametrize("shell", RC)
def test_uninstall_leaves_nothing_behind(cli: Cli, home: Path, shell: str) -> None:
    (home / ".bashrc").write_bytes(b"alias l=ls")
    before = tree(home)
    assert cli("shell", "install", shell).code == 0
    installed = tree(home)
    assert cli("shell", "uninstall").code == 0

    assert installed.keys() > before.keys()
    assert tree(home) == before


@pytest.mark.parametrize("shell", RC)
def test_install_says_what_it_changes_and_a_second_time_changes_nothing(
    cli: Cli, home: Path, root: Root, shell: str
) -> None:
    first = cli("shell", "install", shell)
    script = root.shell_hooks / f"selflow.{shell}"
    installed = tree(home)
    second = cli("shell", "install", shell)

    assert f"write {script}\n" in first.out
    assert f"write {home / RC[shell]}\n" in first.out
    assert "no command is written down before: selflow init --grant shell_companion" in first.err
    assert oct(script.stat().st_mode & 0o777) == "0o600"
    assert second.out == "nothing to change\n"
    assert tree(home) == installed


@pytest.mark.parametrize("shell", RC)
def test_a_dry_run_changes_nothing(cli: Cli, home: Path, shell: str) -> None:
    before = tree(home)
    document = cli("shell", "install", shell, "--dry-run", "--json").document
    between = tree(home)
    cli("shell", "install", shell)
    installed = tree(home)
    removed = cli("shell", "uninstall", shell, "--dry-run", "--json").document

    assert between == before
    assert tree(home) == installed
    assert [change["action"] for change in document["changes"]] == ["write", "write"]
    assert [change["action"] for change in removed["changes"]] == ["remove", "remove"]


@pytest.mark.parametrize("shell", RC)
def test_a_root_with_odd_characters_is_read_by_its_shell(
    cli: Cli,
    home: Path,
    tool: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    shell: str,
) -> None:
    monkeypatch.setenv("SELFLOW_HOME", str(home / 'it\'s $HOME \\ "é"'))
    cli("shell", "install", shell)
    rc = home / RC[shell]
    say = (
        "functions -q _selflow_forget"
        if shell == "fish"
        else "typeset -f _selflow_forget >/dev/null"
    )
    ended = subprocess.run(
        [
            tool(shell),
            "-i",
            "-c",
            f"source {rc}; {say}; and echo there"
            if shell == "fish"
            else f"source {rc}; {say} && echo there",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )

    assert ended.stdout.strip().endswith(b"there")


def test_a_start_up_file_behind_a_link_keeps_link_and_mode(cli: Cli, home: Path) -> None:
    real = home / "dotfiles-bashrc"
    real.write_text("alias l=ls\n")
    real.chmod(0o640)
    (home / ".bashrc").symlink_to(real)
    cli("shell", "install", "bash")
    cli("shell", "uninstall")

    assert (home / ".bashrc").is_symlink()
    assert real.read_text() == "alias l=ls\n"
    assert oct(real.stat().st_mode & 0o777) == "0o640"


def test_zsh_s_own_folder_is_used(cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "zsh").mkdir()
    monkeypatch.setenv("ZDOTDIR", str(home / "zsh"))
    cli("shell", "install", "zsh")

    assert "selflow.zsh" in (home / "zsh/.zshrc").read_text()


def test_an_old_script_is_replaced_and_its_shell_counts_as_recorded_since_then(
    cli: Cli, root: Root
) -> None:
    cli("shell", "install", "bash")
    script = root.shell_hooks / "selflow.bash"
    script.write_text("old")
    os.utime(script, (1_700_000_000, 1_700_000_000))
    shown = cli("shell", "status")
    cli("shell", "install", "bash")

    assert "of another version: selflow shell install bash" in shown.out
    assert script.read_text() != "old"
    assert script.stat().st_mtime == 1_700_000_000


def test_status_says_what_is_installed_waits_was_left_out_and_answers(cli: Cli, root: Root) -> None:
    cli("init", "--grant", "shell_companion")
    cli("shell", "install", "bash")
    (root.shell_spool / "1767225600000000-bash-1.log").write_bytes(record() + record())
    (root.shell_spool / "counts").write_text("files 2\nlong 1\nfiles 1\nnonsense\n")
    server = SuggestServer(root.socket("suggest.sock"), {})
    document = cli("shell", "status", "--json").document
    server.close()
    shown = cli("shell", "status").out

    assert [item["installed"] for item in document["shells"]] == [True, False, False]
    assert document["allowed"] is True
    assert document["waiting"] == {"commands": 2, "size_bytes": 2 * len(record())}
    assert document["left_out"] == {"files": 3, "damaged": 0, "long": 1}
    assert document["suggestions"] is True
    assert "3 files of commands dropped, oldest first" in shown
    assert "suggestions: nobody answers" in shown


def test_consent_makes_the_folder_that_hooks_write_to_and_its_end_removes_it(
    cli: Cli, root: Root
) -> None:
    cli("init", "--grant", "shell_companion", "--dry-run")
    assert not root.shell_spool.exists()
    cli("init", "--grant", "shell_companion")
    mode = oct(root.shell_spool.stat().st_mode & 0o777)
    (root.shell_spool / "1767225600000000-bash-1.log").write_bytes(record())
    cli("init", "--revoke", "shell_companion")

    assert mode == "0o700"
    assert not root.shell_spool.exists()
    assert root.spool.exists()


def test_an_unknown_shell_is_refused_with_those_there_are(cli: Cli) -> None:
    ended = cli("shell", "install", "tcsh")

    assert ended.code == 2
    assert "'bash', 'zsh', 'fish'" in ended.err


def test_a_start_up_file_that_cannot_be_used_is_one_clear_error(cli: Cli, home: Path) -> None:
    (home / ".bashrc").mkdir()
    ended = cli("shell", "install", "bash")

    assert ended.code == 2
    assert ended.err == (
        f"error: cannot use {home}/.bashrc: Is a directory\nhint: check its mode and its owner\n"
    )


@pytest.mark.parametrize("shell", RC)
def test_every_hook_keeps_the_same_budget(cli: Cli, root: Root, shell: str) -> None:
    cli("shell", "install", shell)
    script = (root.shell_hooks / f"selflow.{shell}").read_text()

    assert BUDGET_S == 0.05
    assert f"_selflow_budget_s{' ' if shell == 'fish' else '='}0.05\n" in script
    assert "@" not in script.split("_selflow_budget_s")[0].split("_selflow_script")[1].replace(
        "/@", ""
    )
