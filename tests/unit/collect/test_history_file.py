"""A history file is followed by its content, whatever its shell does with it."""

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from selflow.collect.history_file import HistoryFile, added
from selflow.collect.importers.shell import Shell, shell_of


def texts(file: HistoryFile) -> list[str]:
    return [command.text for command in file.new_commands()[1]]


def write(path: Path, commands: Sequence[str]) -> None:
    path.write_text("".join(f"{command}\n" for command in commands))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".bash_history"


@pytest.fixture
def file(path: Path) -> HistoryFile:
    """Follows a history of ten commands, all known."""
    write(path, [f"old {number}" for number in range(10)])
    followed = HistoryFile(path)
    followed.skip_present()
    return followed


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        ("abc", "abc", ""),
        ("abc", "abcd", "d"),
        ("abcdef", "defxyz", "xyz"),
        ("aaaa", "aaaaa", "a"),
        ("abab", "ababab", "ab"),
        ("", "ab", "ab"),
        ("abc", "", ""),
        ("abcdef", "abcxy", "xy"),
        ("abcabd", "abdq", "q"),
        ("abcdefgh", "abdefgxh", "x"),
    ],
)
def test_what_came_is_told_from_what_was_there(before: str, after: str, new: str) -> None:
    found = added([bytes([ord(c)]) for c in before], [bytes([ord(c)]) for c in after])

    assert "".join(after[position] for position in found) == new


def test_a_file_cut_at_its_front_gives_what_was_added(file: HistoryFile, path: Path) -> None:
    write(path, [*(f"old {number}" for number in range(4, 10)), "new 0", "new 1"])

    assert texts(file) == ["new 0", "new 1"]
    assert texts(file) == []


def test_a_rewrite_of_the_same_length_is_seen(file: HistoryFile, path: Path) -> None:
    before = path.stat().st_size
    write(path, [f"old {number}" for number in range(1, 10)] + ["new x"])

    assert path.stat().st_size == before
    assert texts(file) == ["new x"]


def test_a_second_shell_that_overwrites_adds_its_own_commands(
    file: HistoryFile, path: Path
) -> None:
    old = [f"old {number}" for number in range(10)]
    write(path, [*old, "first shell"])
    first = texts(file)
    write(path, [*old, "second shell"])

    assert (first, texts(file)) == (["first shell"], ["second shell"])


def test_a_rotated_history_is_read_from_its_beginning(file: HistoryFile, path: Path) -> None:
    path.rename(path.with_suffix(".1"))
    with pytest.raises(FileNotFoundError):
        file.new_commands()
    write(path, ["old 3", "new"])

    assert texts(file) == ["old 3", "new"]


def test_a_file_in_the_middle_of_a_rewrite_repeats_nothing(file: HistoryFile, path: Path) -> None:
    old = [f"old {number}" for number in range(10)]
    write(path, old[:4])
    half = texts(file)
    write(path, [*old, "new"])

    assert (half, texts(file)) == ([], ["new"])


def test_a_cleared_history_begins_anew(file: HistoryFile, path: Path) -> None:
    path.write_text("")
    assert texts(file) == texts(file) == []
    write(path, ["old 3"])

    assert texts(file) == ["old 3"]


def test_a_long_history_cut_at_its_front_is_aligned_exactly(file: HistoryFile, path: Path) -> None:
    write(path, [f"old {number}" for number in range(5_000)])
    texts(file)
    write(path, [*(f"old {number}" for number in range(10, 5_000)), "new"])

    assert texts(file) == ["new"]


def test_what_is_written_during_a_look_waits_for_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first bytes say which shell writes it, and they had not been there."""

    def written_meanwhile(head: bytes) -> Shell:
        if not head:
            path.write_text(": 1700000000:0;make check\n")
        return shell_of(head)

    path.touch()
    file = HistoryFile(path)
    monkeypatch.setattr("selflow.collect.history_file.shell_of", written_meanwhile)

    assert file.new_commands() == ("bash", [])
    shell, commands = file.new_commands()
    assert (shell, [command.text for command in commands]) == ("zsh", ["make check"])


def test_a_time_waits_for_its_command(file: HistoryFile, path: Path) -> None:
    with path.open("a") as history:
        history.write("#1700000000\n")
    assert texts(file) == []
    with path.open("a") as history:
        history.write("make test\n")
    _, (command,) = file.new_commands()

    assert (command.text, command.ts_us) == ("make test", 1_700_000_000_000_000)


@pytest.mark.slow
@pytest.mark.parametrize("option", ["-u", "-s"], ids=["overwrites", "appends"])
def test_a_real_bash_with_a_full_history_loses_nothing(
    file: HistoryFile, path: Path, tmp_path: Path, tool: Callable[[str], str], option: str
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "HISTFILE": str(path),
        "HISTSIZE": "500",
        "HISTFILESIZE": "500",
    }
    found: list[str] = []
    for start in range(0, 800, 100):
        lines = [f": command {number}" for number in range(start, start + 100)]
        script = "\n".join([f"shopt {option} histappend", *lines, "exit", ""])
        bash = [tool("bash"), "--norc", "--noprofile", "-i"]
        subprocess.run(
            bash, input=script, env=environment, text=True, capture_output=True, check=True
        )
        found += texts(file)

    assert len(path.read_text().splitlines()) == 500
    assert [text for text in found if text.startswith(": ")] == [
        f": command {number}" for number in range(800)
    ]
