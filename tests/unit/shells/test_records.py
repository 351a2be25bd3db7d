"""What the hooks write, in real shells."""

import time
from pathlib import Path

import pytest

from tests.unit.shells.homes import Home
from tests.unit.shells.terminal import PROMPT

# Each starts a shell in a terminal.
pytestmark = pytest.mark.slow

SHELLS = ("bash", "zsh", "fish")
FUNCTION = {
    "bash": "f() { return 3; }",
    "zsh": "f() { return 3; }",
    "fish": "function f; return 3; end",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_finished_command_is_one_record_of_eight_fields(at_home: Home, shell: str) -> None:
    at_home.allow()
    terminal = at_home.start(shell, FUNCTION[shell] + "\n")
    began_us = time.time_ns() // 1_000
    terminal.run("f")
    terminal.run("sleep 0.1")
    terminal.run("cd /")
    terminal.run("echo 'é $HOME'")
    records = at_home.records()

    assert [record[-1] for record in records] == ["f", "sleep 0.1", "cd /", "echo 'é $HOME'"]
    assert {(version, name, said) for version, _, name, *_, said, _ in records} == {
        ("1", shell, "")
    }
    assert [record[4] for record in records] == ["3", "0", "0", "0"]
    assert [record[3] for record in records] == [str(at_home.path)] * 3 + ["/"]
    assert [int(record[1]) for record in records] == sorted(int(record[1]) for record in records)
    assert all(abs(int(record[1]) - began_us) < 60_000_000 for record in records)
    assert int(records[1][5]) >= 100_000 > int(records[0][5]) >= 0


@pytest.mark.parametrize("shell", SHELLS)
def test_a_line_that_begins_with_a_space_is_never_written(at_home: Home, shell: str) -> None:
    at_home.allow()
    terminal = at_home.start(shell, "HISTCONTROL=\n" if shell == "bash" else "")
    terminal.run("echo first")
    terminal.run(" echo hidden")
    terminal.run("echo last")

    assert at_home.commands() == ["echo first", "echo last"]
    assert all(b"hidden" not in path.read_bytes() for path in at_home.root.shell_spool.iterdir())


@pytest.mark.parametrize("control", ["ignoreboth", "ignorespace", "ignoredups:erasedups", ""])
def test_what_bash_does_not_keep_is_not_taken_for_the_line_before(
    at_home: Home, control: str
) -> None:
    at_home.allow()
    terminal = at_home.start("bash", f"HISTCONTROL={control}\nHISTIGNORE='pwd'\n")
    for line in ("echo a", " echo hidden", "pwd", "", "# nothing", " echo hidden", "echo b"):
        terminal.run(line)

    assert at_home.commands() == ["echo a", "echo b"]


def test_bash_records_a_repeated_line_and_keeps_it_once_in_its_history(at_home: Home) -> None:
    at_home.allow()
    terminal = at_home.start("bash")
    terminal.run("echo a")
    terminal.run("echo a")
    shown = terminal.run("history")

    assert at_home.commands() == ["echo a", "echo a", "history"]
    assert shown.count("echo a") == 1


@pytest.mark.parametrize("shell", SHELLS)
def test_a_command_of_several_lines_is_one_record(at_home: Home, shell: str) -> None:
    at_home.allow()
    terminal = at_home.start(shell)
    terminal.keys("echo 'one\r")
    terminal.keys("two'\r")
    terminal.expect("two\r\n")
    terminal.expect(PROMPT)
    terminal.run("echo three")

    assert at_home.commands() == ["echo 'one\ntwo'", "echo three"]


@pytest.mark.parametrize("shell", SHELLS)
def test_two_shells_at_once_do_not_mix(at_home: Home, shell: str) -> None:
    at_home.allow()
    one, other = at_home.start(shell), at_home.start(shell)
    for number in range(3):
        one.keys(f"echo one {number}\r")
        other.keys(f"echo other {number}\r")
        one.expect(PROMPT)
        other.expect(PROMPT)
    files = list(at_home.root.shell_spool.glob("*.log"))

    assert len(files) == 2
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
    assert sorted(at_home.commands()) == sorted(
        f"echo {who} {number}" for who in ("one", "other") for number in range(3)
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_is_written_without_the_folder_that_stands_for_consent(
    at_home: Home, shell: str
) -> None:
    terminal = at_home.start(shell)
    shown = terminal.run("echo before")
    at_home.allow()
    terminal.run("echo at once")
    terminal.run("echo after")

    assert "before\r\n" in shown
    assert "error" not in shown.lower()
    assert "echo after" in at_home.commands()
    assert "echo before" not in at_home.commands()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_that_runs_stops_writing_once_the_hook_is_uninstalled(
    at_home: Home, shell: str
) -> None:
    at_home.allow()
    terminal = at_home.start(shell)
    terminal.run("echo before")
    list(at_home.hook(shell).uninstall(is_dry=False))
    terminal.run("echo after")

    assert at_home.commands() == ["echo before"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_long_line_is_cut_where_the_collector_still_sees_that_it_is_long(
    at_home: Home, shell: str
) -> None:
    at_home.allow()
    terminal = at_home.start(shell)
    terminal.keys("\x1b[200~: " + "x" * 30_000 + "\x1b[201~")
    terminal.keys("\r")
    terminal.expect("\n")
    terminal.expect(PROMPT)
    terminal.run("echo after")
    long, last = at_home.commands()

    assert len(long) == 20_000
    assert last == "echo after"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_oldest_files_go_when_too_many_wait(at_home: Home, shell: str) -> None:
    at_home.allow()
    for number in range(300):
        (at_home.root.shell_spool / f"{number:016d}-bash-1.log").write_bytes(b"x")
    at_home.start(shell).run("echo new")
    names = sorted(path.name for path in at_home.root.shell_spool.glob("*.log"))

    assert len(names) == 256
    assert names[0] == f"{300 - 255:016d}-bash-1.log"
    assert (at_home.root.shell_spool / "counts").read_text() == "files 45\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_recording_forks_nothing(at_home: Home, shell: str) -> None:
    at_home.allow()
    terminal = at_home.start(shell)
    terminal.run("true")
    before = _faults_of_children(terminal.pid)
    for _ in range(5):
        terminal.run("true")

    assert len(at_home.commands()) == 6
    assert _faults_of_children(terminal.pid) == before


def _faults_of_children(pid: int) -> int:
    """Page faults of the processes that a process has made and waited for: each has some."""
    stat = Path("/proc", str(pid), "stat").read_text()
    return int(stat.rpartition(")")[2].split()[8])
