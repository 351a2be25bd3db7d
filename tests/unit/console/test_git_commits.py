"""Finished commits, from real repositories into the log: by the hook, the spool and the collector's
own source.
"""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from selflow.collect.companion.git_hooks import MAX_WAITING_FILES, NOTE, RECORD, SUFFIX
from selflow.collect.companion.sections import commits_at
from selflow.collect.event_filter import EventFilter
from selflow.collect.importers.git import import_git
from selflow.collect.normalise import Exclusions
from selflow.collect.outbox import Outbox
from selflow.collect.progress import Progress
from selflow.collect.redact import make_redactor
from selflow.collect.source_set import SourceSet
from selflow.collect.sources import make_source
from selflow.core.clock import SystemClock
from selflow.core.codec import WireLimits
from selflow.core.events import Event, Json
from selflow.core.paths import Root
from selflow.core.settings import PrivacySettings
from selflow.store.permission import Permission
from selflow.store.spool import Spool
from selflow.testing import MemoryLog
from tests.unit.console.conftest import Cli
from tests.unit.console.git_world import SUGGESTED, Answering, Repository

TYPING = 'sh -c \'printf "%s\\n" "$TYPED" >"$1"\' editor'


def record(cli: Cli, repository: Repository) -> None:
    ended = cli("git", "install", "--record", str(repository.folder))
    assert ended.code == 0, ended.err


def collected(root: Root, exclude_paths: Sequence[str] = ()) -> list[Event]:
    """What the collector stores in a life of one look, by the consents of the catalog."""
    log, clock = MemoryLog(), SystemClock()
    exclusions = Exclusions(exclude_paths, (), str(Path.home()))
    event_filter = EventFilter(make_redactor(PrivacySettings()), exclusions, str(Path.home()))
    spool = Spool(root.path / "outbox", 1_000_000)
    outbox = Outbox(log, event_filter, spool, clock, WireLimits(), 1.0)
    granted = Permission(root.catalog, clock).granted()

    def make(section: object) -> object:
        return make_source(section, clock, str(Path.home()))

    sources = SourceSet([commits_at(root)], make, outbox.offer, str(Path.home()))
    assert sources.settle(granted) == []
    sources.settle({})
    outbox.stop()
    spool.close()
    return [stored.event for stored in log.read(0, 1_000)]


def messages(events: Sequence[Event]) -> list[str]:
    return [event.subject for event in events]


def said(repository: Repository, typed: str) -> None:
    """A commit whose editor shows a suggestion, and in which ``typed`` is written."""
    repository.environ = {"GIT_EDITOR": TYPING, "TYPED": typed}
    repository.commit()


def waiting(root: Root) -> list[str]:
    spool = root.commit_spool
    return sorted(item.name for item in spool.iterdir()) if spool.exists() else []


def test_a_commit_reaches_the_log_with_message_paths_and_folder(
    cli: Cli, root: Root, repository: Repository
) -> None:
    record(cli, repository)
    (repository.folder / "sub").mkdir()
    (repository.folder / "sub" / "é b.py").write_text("x")
    repository.commit("-m", "Add a part\n\nand why")
    (event,) = collected(root)
    step = repository.git("log", "-1", "--format=%H").stdout[:10]
    expected: dict[str, Json] = {
        "step": step,
        "folder": str(repository.folder),
        "paths": ["0.txt", "sub/é b.py"],
    }

    assert (event.kind, event.subject, event.app) == ("commit.message", "Add a part", "git")
    assert dict(event.data) == expected
    assert waiting(root) == []


@pytest.mark.parametrize(
    ("typed", "outcome"),
    [
        (SUGGESTED, "accepted"),
        (f"{SUGGESTED} of the docs", "edited"),
        ("Something else", "ignored"),
    ],
)
def test_what_became_of_the_suggestion_is_joined_to_its_decision(
    cli: Cli, root: Root, repository: Repository, answering: Answering, typed: str, outcome: str
) -> None:
    record(cli, repository)
    said(repository, typed)
    (event,) = collected(root)

    assert answering.requests
    assert event.data.get("suggestion") == {"decision_id": "dec_1", "outcome": outcome}
    assert not (repository.folder / ".git" / NOTE).exists()


def test_a_suggestion_of_a_commit_that_was_not_made_says_nothing_of_the_next(
    cli: Cli, root: Root, repository: Repository, answering: Answering
) -> None:
    record(cli, repository)
    (repository.folder / "more.txt").write_text("x")
    repository.git("add", "-A")
    repository.environ = {"GIT_EDITOR": "false"}
    assert repository.git("commit").returncode != 0
    assert (repository.folder / ".git" / NOTE).exists()
    repository.commit("-n", "-m", SUGGESTED)
    (event,) = collected(root)

    assert answering.requests
    assert "suggestion" not in event.data


def test_a_shared_folder_of_hooks_records_each_repository_as_its_own(
    cli: Cli, root: Root, repository: Repository, tmp_path: Path
) -> None:
    shared, other = tmp_path / "shared", Repository(tmp_path / "other", tmp_path / "seen2")
    other.folder.mkdir()
    other.git("init", "-q")
    for one in (repository, other):
        one.git("config", "core.hooksPath", str(shared))
    cli("git", "install", "--record", "--hooks-path", str(repository.folder))
    repository.commit("-m", "mine")
    other.commit("-m", "of another repository")

    assert messages(collected(root)) == ["mine"]


def test_of_too_many_waiting_commits_the_oldest_go_and_are_counted(
    cli: Cli, root: Root, repository: Repository
) -> None:
    record(cli, repository)
    for number in range(MAX_WAITING_FILES + 3):
        (root.commit_spool / f"{1_000_000_000_000_000 + number}-git-1.log").write_text("")
    repository.commit("-m", "the newest")

    names = waiting(root)
    assert len([name for name in names if name.endswith(".log")]) == MAX_WAITING_FILES
    assert "1000000000000000-git-1.log" not in names
    assert cli("status", "--json").document["commits_left_out"] == {"files": 4}


def test_only_what_was_written_for_a_commit_is_recorded(
    cli: Cli, root: Root, repository: Repository
) -> None:
    git = repository.git
    repository.commit("-m", "before")
    record(cli, repository)
    repository.commit("-n", "-m", "one")
    git("commit", "--amend", "--no-edit")
    git("commit", "--amend", "-m", "one, said better")
    git("checkout", "-q", "-b", "side", "HEAD~1")
    (repository.folder / "side.txt").write_text("x")
    git("add", "-A")
    git("commit", "-m", "two")
    git("rebase", "-")
    git("checkout", "-q", "-")
    git("merge", "--no-ff", "-m", "a merge", "side")
    git("revert", "--no-edit", "-m", "1", "HEAD")
    git("commit", "--allow-empty", "-m", "empty")
    git("commit", "--fixup", "HEAD~1", "--allow-empty")
    git("checkout", "-q", "-b", "other", "HEAD~4")
    repository.commit("-m", "three")
    git("checkout", "-q", "side")
    git("merge", "--squash", "other")
    git("commit", "-m", "squashed")
    git("cherry-pick", "other~1")

    recorded = messages(collected(root))
    assert recorded == ["one", "one, said better", "two", "three", "squashed"]


def test_commits_of_other_people_are_not_recorded(
    cli: Cli, root: Root, repository: Repository
) -> None:
    record(cli, repository)
    repository.commit("-m", "mine")
    repository.commit("-m", "theirs", "--author=B <b@example.org>")

    assert messages(collected(root)) == ["mine"]


def test_consent_is_per_repository_and_ends(
    cli: Cli, root: Root, repository: Repository, tmp_path: Path
) -> None:
    subprocess.run(["cp", "-r", repository.folder, tmp_path / "other"], check=True)
    other = Repository(tmp_path / "other", tmp_path / "seen")
    other.commit("-m", "not asked")
    assert not root.commit_spool.exists()
    record(cli, repository)
    record(cli, other)
    subprocess.run(["cp", "-r", repository.folder, tmp_path / "copy"], check=True)
    Repository(tmp_path / "copy", tmp_path / "seen").commit("-m", "a copy")
    repository.commit("-m", "ours")
    other.commit("-m", "revoked before it was stored")
    cli("git", "uninstall", str(other.folder))
    other.commit("-m", "revoked")

    assert messages(collected(root)) == ["ours"]
    cli("init", "--revoke", "git_commits")
    repository.commit("-m", "all revoked")
    assert not root.commit_spool.exists()


def test_a_linked_worktree_is_the_same_repository(
    cli: Cli, root: Root, repository: Repository, tmp_path: Path
) -> None:
    repository.commit("-m", "first")
    repository.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Repository(tmp_path / "linked", tmp_path / "seen")
    record(cli, linked)
    linked.commit("-m", "linked")
    repository.commit("-m", "main")
    events = collected(root)

    assert messages(events) == ["linked", "main"]
    assert {event.data["folder"] for event in events} == {str(repository.folder)}


def test_secrets_and_excluded_paths_of_a_commit_are_not_stored(
    cli: Cli, root: Root, repository: Repository
) -> None:
    record(cli, repository)
    repository.commit("-m", "Set password=hunter2hunter2")
    (repository.folder / "private").mkdir()
    (repository.folder / "private" / "diary.md").write_text("x")
    repository.commit("-m", "Dear diary")
    events = collected(root, [f"{repository.folder}/private/"])

    assert len(events) == 1
    assert "hunter2" not in repr(events)
    assert events[0].subject.startswith("Set password=<")


def test_without_selflow_a_commit_writes_nothing_and_fails_nothing(
    cli: Cli, root: Root, repository: Repository
) -> None:
    record(cli, repository)
    root.commit_spool.rmdir()
    repository.commit("-m", "one")
    root.commit_spool.write_text("no folder")
    repository.commit("-m", "two")
    root.commit_spool.unlink()
    root.commit_spool.mkdir(mode=0o500)
    repository.git("config", "core.logAllRefUpdates", "false")
    repository.commit("-m", "three")

    assert repository.git("log", "--format=%s").stdout.split() == ["three", "two", "one"]


def test_a_hook_that_was_there_runs_first_and_comes_back(
    cli: Cli, root: Root, repository: Repository
) -> None:
    own = repository.hooks / RECORD
    own.write_text("#!/bin/sh\necho own >>own-ran\nexit 3\n")
    own.chmod(0o755)
    before = sorted((item.name, item.read_bytes()) for item in repository.hooks.iterdir())
    record(cli, repository)
    record(cli, repository)
    repository.commit("-m", "one")
    assert (repository.hooks / (RECORD + SUFFIX)).exists()
    assert messages(collected(root)) == ["one"]
    cli("git", "uninstall", str(repository.folder))

    assert (repository.folder / "own-ran").read_text() == "own\n"
    after = sorted((item.name, item.read_bytes()) for item in repository.hooks.iterdir())
    assert after == before
    assert not root.commit_spool.exists()


def test_what_the_hook_records_an_import_leaves_to_it(
    cli: Cli, root: Root, repository: Repository
) -> None:
    repository.git("config", "user.email", "a@example.org")
    repository.commit("-m", "before")
    record(cli, repository)
    os.utime(repository.hooks / RECORD, (0, 4_000_000_000))
    repository.commit("-m", "still before")
    os.utime(repository.hooks / RECORD, (0, 0))

    def imported() -> list[str]:
        events = import_git(repository.folder, Progress())
        return [event.subject for event in events if event.kind == "commit.message"]

    assert imported() == []
    cli("git", "uninstall", str(repository.folder))
    assert imported() == ["before", "still before"]


def test_a_commit_of_many_paths_is_one_small_event(
    cli: Cli, root: Root, repository: Repository
) -> None:
    record(cli, repository)
    for number in range(500):
        (repository.folder / f"{number:04}.c").write_text("x")
    repository.commit("-m", "Import everything")
    (event,) = collected(root)

    paths = event.data["paths"]
    assert isinstance(paths, list)
    assert (len(paths), paths[0]) == (60, "0.txt")
