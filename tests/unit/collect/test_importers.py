"""Histories of shells and of git: times and texts as they were, whatever stands in them."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from selflow.collect.importers.git import import_git
from selflow.collect.importers.shell import import_shell
from selflow.collect.progress import Progress
from selflow.collect.shell_source import ShellHistorySource
from selflow.core.clock import SystemClock
from selflow.core.errors import UsageError
from selflow.core.events import Event
from selflow.core.source_settings import PolledSection
from selflow.testing import Recorder

T0 = 1_700_000_000
FAST = PolledSection(sample_interval_s=0.1)


def _history(folder: Path, content: bytes, written_s: int = T0) -> Path:
    path = folder / "history"
    path.write_bytes(content)
    os.utime(path, (written_s, written_s))
    return path


def _commands(path: Path, progress: Progress | None = None) -> list[tuple[int, str]]:
    return [
        (event.ts_us // 1_000_000, event.subject)
        for event in import_shell(path, progress or Progress())
    ]


def test_bash_with_times_keeps_commands_of_several_lines_together(tmp_path: Path) -> None:
    path = _history(
        tmp_path, b"#1600000000\nls -la\n#1600000060\nfor i in 1 2\ndo echo $i\ndone\n#1600000100\n"
    )
    events = list(import_shell(path, Progress()))

    assert events == [
        Event(1_600_000_000_000_000, "shell", "shell.command", "ls -la", "bash"),
        Event(
            1_600_000_060_000_000,
            "shell",
            "shell.command",
            "for i in 1 2\ndo echo $i\ndone",
            "bash",
        ),
    ]


def test_bash_without_times_is_dated_by_the_file_and_says_so(tmp_path: Path) -> None:
    path = _history(tmp_path, b"ls\n# a comment\n\ncd /tmp\n")

    assert _commands(path) == [(T0 - 3, "ls"), (T0 - 2, "# a comment"), (T0 - 1, "cd /tmp")]
    assert all(
        event.data == {"is_time_estimated": True} for event in import_shell(path, Progress())
    )


def test_commands_before_the_first_time_are_dated_before_it(tmp_path: Path) -> None:
    path = _history(tmp_path, b"old\nolder\n#1600000000\nnew\n")

    assert _commands(path) == [
        (1_599_999_998, "old"),
        (1_599_999_999, "older"),
        (1_600_000_000, "new"),
    ]


def test_zsh_keeps_times_durations_and_continued_lines(tmp_path: Path) -> None:
    path = _history(
        tmp_path,
        b": 1600000000:5;make test\n: 1600000010:0;echo a\\\nb\n: 1600000020:0;a;b: 1:2;c\n",
    )
    events = list(import_shell(path, Progress()))

    assert [(event.subject, event.duration_s, event.app) for event in events] == [
        ("make test", 5.0, "zsh"),
        ("echo a\nb", 0.0, "zsh"),
        ("a;b: 1:2;c", 0.0, "zsh"),
    ]


def test_the_bytes_that_zsh_hides_come_back(tmp_path: Path) -> None:
    hidden = "ä→".encode().replace(b"\x86", b"\x83\xa6").replace(b"\x92", b"\x83\xb2")
    path = _history(tmp_path, b": 1600000000:0;echo " + hidden + b"\n")

    assert _commands(path) == [(1_600_000_000, "echo ä→")]


def test_fish_keeps_times_and_escapes_and_passes_paths_by(tmp_path: Path) -> None:
    content = (
        b"- cmd: git status\n  when: 1600000000\n  paths:\n    - a\n"
        b"- cmd: echo a\\nb \\\\n\n  when: 1600000005\n- cmd: untimed\n"
    )
    path = _history(tmp_path, content)

    assert _commands(path) == [
        (1_600_000_000, "git status"),
        (1_600_000_005, "echo a\nb \\n"),
        (T0 - 1, "untimed"),
    ]


def test_a_damaged_history_gives_what_is_whole_and_counts_the_rest(tmp_path: Path) -> None:
    progress = Progress()
    path = _history(tmp_path, b"ls\n\x00\x00\x00\ncd \xff\n")

    assert [text for _, text in _commands(path, progress)] == ["ls", "cd �"]
    assert (progress.rows, progress.bad_lines) == (2, [2])
    assert progress.done == progress.total == path.stat().st_size


def test_an_empty_history_has_no_commands(tmp_path: Path) -> None:
    assert _commands(_history(tmp_path, b"")) == []


def test_a_history_that_cannot_be_read_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*missing: No such file or directory"):
        import_shell(tmp_path / "missing", Progress())


def test_the_shell_source_tells_what_is_new_only_and_follows_a_rewritten_file(
    tmp_path: Path,
) -> None:
    path = _history(tmp_path, b"before\n")
    recorder = Recorder()
    source = ShellHistorySource([path, tmp_path / "later"], FAST, SystemClock(), lambda _: None)
    source.start(recorder)
    with path.open("ab") as file:
        file.write(b"one\nhalf a li")
    assert recorder.heard.wait(10)
    recorder.heard.clear()
    with path.open("ab") as file:
        file.write(b"ne\n")
    assert recorder.heard.wait(10)
    recorder.heard.clear()
    (tmp_path / "later").write_text("#1600000000\nthere\n")
    assert recorder.heard.wait(10)
    source.stop()

    assert [event.subject for event in recorder.events] == ["one", "half a line", "there"]
    assert recorder.events[-1].ts_us == 1_600_000_000_000_000
    assert source.health().events == 3


def test_a_history_that_is_no_file_is_a_problem_and_the_others_are_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    good = tmp_path / "good"
    recorder = Recorder()
    source = ShellHistorySource([tmp_path / "folder", good], FAST, SystemClock(), lambda _: None)
    source.start(recorder)
    good.write_text("ls\n")
    assert recorder.heard.wait(10)
    health = source.health()
    source.stop()

    assert (health.state, health.problems) == (
        "degraded",
        (f"{tmp_path}/folder: Is a directory; make it readable or remove it from data_sources",),
    )


def _git(folder: Path, *words: str, when_s: int = T0) -> None:
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder),
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b.co", "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b.co", "GIT_AUTHOR_DATE": "1500000000 +0000",
        "GIT_COMMITTER_DATE": f"{when_s} +0000",
    }  # fmt: skip
    subprocess.run(["git", *words], cwd=folder, env=environment, check=True, capture_output=True)


HOSTILE = (
    "-x",
    "--output=pwned",
    'quo"te',
    "new\nline",
    "tab\there",
    "\x02looks 5",
    "ümlaut",
    "<M>",
    "D",
    os.fsdecode(b"\xff"),
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "--upload-pack=touch pwned"
    folder.mkdir()
    _git(folder, "init", "-q", "-b", "main")
    for name in HOSTILE:
        (folder / name).write_text("1")
    _git(folder, "add", "--", ".")
    _git(folder, "commit", "-q", "-m", "bob@example.org")
    (folder / "D").write_text("2")
    (folder / "sub").mkdir()
    (folder / "sub" / "new").write_text("moved")
    (folder / "-x").unlink()
    _git(folder, "add", "-A", "--", ".", when_s=T0 + 60)
    _git(folder, "commit", "-q", "-m", "two", when_s=T0 + 60)
    return folder


def _seen(events: Sequence[Event], root: Path) -> list[tuple[int, str, str]]:
    return [
        (
            event.ts_us // 1_000_000 - T0,
            event.kind.removeprefix("file."),
            event.subject.removeprefix(f"{root}/"),
        )
        for event in events
    ]


def test_a_commit_is_a_step_of_paths_whatever_they_hold(repository: Path) -> None:
    progress = Progress()
    events = list(import_git(repository, progress))
    first, second = events[: len(HOSTILE)], events[len(HOSTILE) :]

    assert {subject for _, _, subject in _seen(first, repository)} == {
        name.replace(os.fsdecode(b"\xff"), "�") for name in HOSTILE
    }
    assert sorted(_seen(second, repository)) == [
        (60, "create", "sub/new"),
        (60, "delete", "-x"),
        (60, "modify", "D"),
    ]
    assert (
        len({event.data["step"] for event in first})
        == len({event.data["step"] for event in second})
        == 1
    )
    assert (progress.done, progress.total, progress.rows, progress.bad_rows) == (
        2,
        2,
        len(events),
        0,
    )


def _messages(repository: Path) -> list[Event]:
    events = import_git(repository, Progress())
    return [event for event in events if event.kind == "commit.message"]


@pytest.mark.slow
def test_neither_authors_nor_messages_of_others_are_read(repository: Path) -> None:
    unknown = repr(list(import_git(repository, Progress())))
    _git(repository, "config", "user.email", "c@b.co")

    assert "example.org" not in unknown + repr(list(import_git(repository, Progress())))
    assert _messages(repository) == []


def test_messages_of_the_owner_come_with_their_paths_and_without_the_address(
    repository: Path,
) -> None:
    _git(repository, "config", "user.email", "A@b.co")
    first, second = _messages(repository)

    assert (first.subject, len(first.data["paths"])) == ("bob@example.org", len(HOSTILE))  # type: ignore[arg-type]
    assert (second.subject, second.data["paths"]) == ("two", ["-x", "D", "sub/new"])
    assert second.ts_us == (T0 + 60) * 1_000_000
    assert "b.co" not in repr(list(import_git(repository, Progress())))


def test_messages_of_merges_are_left_out(repository: Path) -> None:
    _git(repository, "config", "user.email", "a@b.co")
    _git(repository, "checkout", "-q", "-b", "other", "HEAD~1")
    (repository / "more").write_text("1")
    _git(repository, "add", "--", "more")
    _git(repository, "commit", "-q", "-m", "three")
    _git(repository, "merge", "-q", "--no-ff", "-m", "Merge it", "main")

    assert sorted(event.subject for event in _messages(repository)) == [
        "bob@example.org",
        "three",
        "two",
    ]


def test_a_folder_inside_gives_the_whole_paths_of_its_repository(repository: Path) -> None:
    assert list(import_git(repository / "sub", Progress())) == list(
        import_git(repository, Progress())
    )


def test_the_repositorys_own_settings_start_no_program_and_quote_no_path(repository: Path) -> None:
    for key in ("core.fsmonitor", "core.pager", "diff.external", "core.sshCommand", "gpg.program"):
        _git(repository, "config", key, f"touch {repository}/pwned; true")
    _git(repository, "config", "core.quotePath", "true")
    _git(repository, "config", "log.showSignature", "true")
    _git(repository, "config", "color.ui", "always")
    events = list(import_git(repository, Progress()))

    assert len(events) == len(HOSTILE) + 3
    assert not (repository / "pwned").exists()


def test_reading_may_stop_early(repository: Path) -> None:
    events = import_git(repository, Progress())

    assert next(events).source == "git"
    events.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing", "folder not found"),
        ("plain", "is not a git repository"),
        ("empty", "cannot read the commits"),
    ],
)
def test_what_is_no_repository_is_one_clear_error(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "empty").mkdir()
    _git(tmp_path / "empty", "init", "-q")

    with pytest.raises(UsageError, match=says):
        import_git(tmp_path / name, Progress())


def test_without_git_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match="git is not installed"):
        import_git(tmp_path, Progress())
