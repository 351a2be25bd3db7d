"""The owner's exclusions hold wherever a path or a program shows itself; the home folder is written
~.
"""

import pytest

from selflow.collect.normalise import Exclusions, PathRules, write_home
from selflow.core.codec import decode_record
from selflow.core.errors import ConfigError
from selflow.core.events import Event, Json
from tests.unit.collect.ingest_world import event_filter

EXCLUSIONS = Exclusions(["~/private/", "*.kdbx", "/etc/secret/**"], ["KeePass*", "pass"], "/home/u")


def _event(subject: str = "", kind: str = "file.modify", app: str = "", **data: Json) -> Event:
    return Event(1, "s", kind, subject, app, data=data)


@pytest.mark.parametrize(
    "event",
    [
        _event("/home/u/private/x"),
        _event("~/private"),
        _event("/home/u/work/../private//x"),
        _event("/home/u/private"),
        _event("vim ~/private/diary.txt", "shell.command"),
        _event("cp --target=/home/u/private/x y", "shell.command"),
        _event("file:///home/u/private/a%20b"),
        _event("deep/in/my.kdbx"),
        _event("/etc/secret/a/b"),
        _event("x", cwd="/home/u/private"),
        _event("x", files=[{"path": "/home/u/private/a b"}]),
        _event("vault", "app.focus", "KeePassXC"),
        _event("vault", "app.focus", "/usr/bin/keepassxc"),
        _event("pass show bank", "shell.command"),
        _event("sudo A=1 /usr/bin/pass show bank", "shell.command", "bash"),
    ],
    ids=lambda event: event.subject,
)
def test_what_the_owner_excludes_is_covered(event: Event) -> None:
    assert EXCLUSIONS.covers(event)
    assert (
        event_filter(["~/private/", "*.kdbx", "/etc/secret/**"], ["KeePass*", "pass"])
        .apply([event])
        .dropped
        == 1
    )


@pytest.mark.parametrize(
    "event",
    [
        _event("/home/u/work/private.txt"),
        _event("/home/u/privately/x"),
        _event("https://example.org/private/x"),
        _event("git pass", "shell.command"),
        _event("pass", "file.modify"),
        _event(app="passenger"),
    ],
    ids=lambda event: event.subject,
)
def test_what_only_looks_alike_is_not(event: Event) -> None:
    assert not EXCLUSIONS.covers(event)


def test_without_exclusions_nothing_is_covered() -> None:
    assert not Exclusions([], [], "/home/u").covers(_event("/home/u/private/x", app="KeePassXC"))


def test_a_pattern_may_take_another_back() -> None:
    rules = PathRules(["*.log", "!keep.log"], "/home/u")

    assert rules.match("/x/a.log")
    assert not rules.match("/x/keep.log")


def test_a_pattern_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="invalid path pattern"):
        PathRules(["!"], "/home/u")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("/home/u/work/a.py", "~/work/a.py"),
        ("cd /home/u", "cd ~"),
        ("cp '/home/u/a' \"/home/u/b\"", "cp '~/a' \"~/b\""),
        ("PATH=/home/u/bin:/bin", "PATH=~/bin:/bin"),
        ("file:///home/u/a", "file://~/a"),
        ("/home/user/a", "/home/user/a"),
        ("/mnt/home/u/a", "/mnt/home/u/a"),
    ],
)
def test_the_home_folder_is_written_as_a_tilde(text: str, written: str) -> None:
    assert write_home(text, "/home/u") == written
    assert write_home(written, "/home/u") == written


def test_a_home_that_is_everything_changes_nothing() -> None:
    assert write_home("/a/b", "/") == "/a/b"
    assert write_home("/a/b", "") == "/a/b"


def test_the_sieve_writes_the_home_folder_everywhere_and_keeps_the_rest() -> None:
    data: dict[str, Json] = {
        "cwd": "/home/u/w",
        "list": ["/home/u/x", 3],
        "map": {"k": "/home/u/y"},
        "n": None,
    }
    record = (
        event_filter()
        .apply([Event(5, "shell", "shell.command", "ls /home/u/w", "bash", 2.5, data)])
        .records[0]
    )

    assert decode_record(record) == Event(
        5, "shell", "shell.command", "ls ~/w", "bash", 2.5,
        {"cwd": "~/w", "list": ["~/x", 3], "map": {"k": "~/y"}, "n": None},
    )  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        "timeout 5 pass show x",
        "sudo -u me pass x",
        "nice -n 5 pass x",
        "cd /tmp; PASS show x",
        'export T="$(/usr/bin/pass show x)"',
        "bash -c 'pass show x'",
    ],
)
def test_an_excluded_program_is_found_wherever_it_runs(line: str) -> None:
    rules = Exclusions((), ("pass",), "/home/u")

    assert rules.covers(Event(1, "shell", "shell.command", line, "bash"))
    assert not rules.covers(Event(1, "shell", "shell.command", "git commit -m 'pass x'", "bash"))
