"""What git has done, by its own log: every act once, and no content."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from selflow.collect.git_activity import GitReader, act_of
from selflow.collect.rooted import GitActivityAt
from tests.unit.collect.test_browser import Log

T0_S = 1_767_225_600
NOW_US = (T0_S + 86_400) * 1_000_000


class Repository:
    """A real one, whose clock is turned by hand."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._now_s = T0_S
        self.run("init", "-q", "-b", "main")

    def run(self, *arguments: str) -> None:
        """Run git, one second later than before."""
        self._now_s += 1
        moment = f"{self._now_s} +0000"
        environ = {**os.environ, "GIT_COMMITTER_DATE": moment, "GIT_AUTHOR_DATE": moment}
        names = ("-c", "user.name=Ann", "-c", "user.email=ann@work.example")
        command = ["git", "-C", str(self._folder), *names, *arguments]
        subprocess.run(command, check=True, env=environ, stdout=subprocess.DEVNULL)

    def commit(self, message: str) -> None:
        """Commit nothing but a message."""
        self.run("commit", "-q", "--allow-empty", "-m", message)


def _look(folder: Path, log: Log, consent_s: int = T0_S, **options: Any) -> list[int | str]:
    section = GitActivityAt(
        type="git_activity",
        paths=(str(folder / "code"),),
        positions=str(folder / "positions"),
        copies=str(folder / "copies"),
        consent_us=consent_s * 1_000_000 + 5,
        **options,
    )
    return list(GitReader(section, "/home/me").read(log, NOW_US, is_last=False))


@pytest.mark.slow
def test_commits_and_checkouts_come_once(tmp_path: Path) -> None:
    log, repository = Log(), Repository(tmp_path / "code/project")
    repository.commit("Secret plan")
    repository.run("checkout", "-q", "-b", "topic")
    _look(tmp_path, log)
    repository.commit("More")
    _look(tmp_path, log)
    _look(tmp_path, log)

    assert [event.kind for event in log.events] == ["git.commit", "git.checkout", "git.commit"]
    assert [event.ts_us // 1_000_000 - T0_S for event in log.events] == [2, 3, 4]
    assert log.events[1].data == {"from": "main", "to": "topic"}
    assert {event.subject for event in log.events} == {str(tmp_path / "code/project")}
    assert "Secret" not in str(log.events)
    assert "ann@" not in str(log.events)


def _line(second: int, what: str = "commit: x") -> str:
    return f"{'0' * 40} {second:040x} Ann <ann@work.example> {T0_S + second} +0000\t{what}\n"


def _write(folder: Path, *lines: str) -> None:
    path = folder / "code/project/.git/logs/HEAD"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines))


def test_what_was_done_before_the_consent_is_not_read(tmp_path: Path) -> None:
    log = Log()
    _write(tmp_path, _line(1), _line(10))
    _look(tmp_path, log, T0_S + 10)

    assert [event.ts_us // 1_000_000 - T0_S for event in log.events] == [10]


def test_what_was_done_while_the_consent_was_revoked_is_never_read(tmp_path: Path) -> None:
    log = Log()
    _write(tmp_path, _line(1))
    _look(tmp_path, log)
    _write(tmp_path, _line(1), _line(20), _line(30))
    _look(tmp_path, log, T0_S + 25)

    assert [event.ts_us // 1_000_000 - T0_S for event in log.events] == [1, 30]


def test_a_log_that_git_shortens_repeats_nothing(tmp_path: Path) -> None:
    log = Log()
    _write(tmp_path, _line(1), _line(2), _line(3))
    _look(tmp_path, log)
    _write(tmp_path, _line(3), _line(4))
    _look(tmp_path, log)

    assert len(log.events) == 4


def test_half_a_line_waits_for_its_rest(tmp_path: Path) -> None:
    log = Log()
    _write(tmp_path, _line(1), _line(2)[:-1])
    _look(tmp_path, log)
    _write(tmp_path, _line(1), _line(2))
    _look(tmp_path, log)

    assert len(log.events) == 2


def test_a_refused_act_is_offered_again(tmp_path: Path) -> None:
    log = Log()
    log.refusals = 1
    _write(tmp_path, _line(1))
    _look(tmp_path, log)
    _look(tmp_path, log)

    assert len(log.events) == 1


@pytest.mark.parametrize("line", [b"", b"\xff" * 90, b"a b c", _line(1, "x: y").encode()[:-1]])
def test_what_is_no_act_is_left_out(line: bytes) -> None:
    assert act_of(line, Path("/a")) is None


@pytest.mark.parametrize(
    ("what", "kind"),
    [
        ("commit (initial): x", "git.commit"),
        ("commit (amend): x", "git.commit"),
        ("merge topic: Fast-forward", "git.merge"),
        ("rebase (finish): returning to refs/heads/main", "git.rebase"),
        ("reset: moving to HEAD~1", "git.reset"),
        ("pull: Fast-forward", "git.pull"),
        ("cherry-pick: x", "git.cherry-pick"),
    ],
)
def test_each_act_has_its_kind(what: str, kind: str) -> None:
    event = act_of(_line(1, what).encode()[:-1], Path("/a"))

    assert event is not None
    assert event.kind == kind
