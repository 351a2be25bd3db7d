"""Consent decides which sources run, and on which folders; one that fails harms no other."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from selflow.collect.files import AllowedFiles, from_settings
from selflow.collect.git_activity import GitReader
from selflow.collect.rooted import BrowserHistoryAt, GitActivityAt
from selflow.collect.source_set import SourceSet, permitted, while_paused
from selflow.collect.sources import Emit, SourceHealth
from selflow.core.clock import SystemClock
from selflow.core.errors import ConfigError
from selflow.core.events import Event
from selflow.core.settings import FileSource, MetricsSource
from selflow.core.source_settings import DocumentsSource
from selflow.testing import ManualClock
from tests.waiting import wait_until

HOME = "/home/me"
BELL = {"bell": ()}


@dataclass(frozen=True)
class Section:
    type: str = "bell"


class Bell:
    """A source that rings once when it starts."""

    def __init__(self, start_fault: Exception | None = None) -> None:
        self.is_running = False
        self.stops = 0
        self._start_fault = start_fault

    def start(self, emit: Emit) -> None:
        if self._start_fault:
            raise self._start_fault
        self.is_running = True
        emit([Event(1, "bell", "rung")])

    def stop(self) -> None:
        self.is_running = False
        self.stops += 1

    def health(self) -> SourceHealth:
        return SourceHealth("bell", "ok", 1)


@dataclass
class Tower:
    """What was made of each section, and what was heard."""

    faults: list[Exception | None] = field(default_factory=list)
    made: list[Bell] = field(default_factory=list)
    heard: list[Event] = field(default_factory=list)

    def make(self, _: Section) -> Bell:
        fault = self.faults[len(self.made)] if len(self.made) < len(self.faults) else None
        self.made.append(Bell(fault))
        return self.made[-1]

    def sources(self, *sections: Section) -> SourceSet:
        return SourceSet(sections or (Section(),), self.make, self.heard.extend, HOME)


def test_a_source_without_consent_is_not_even_made() -> None:
    tower = Tower()
    sources = tower.sources()
    problems = sources.settle({"other": ()})

    assert (problems, tower.made, tower.heard, sources.health()) == ([], [], [], [])


def test_consent_starts_a_source_once_and_its_end_stops_it() -> None:
    tower = Tower()
    sources = tower.sources()
    for granted in (BELL, BELL):
        sources.settle(granted)
    was_running = tower.made[0].is_running
    sources.settle({})

    assert len(tower.made) == len(tower.heard) == 1
    assert was_running
    assert not tower.made[0].is_running


def test_two_sources_of_one_kind_share_a_consent() -> None:
    tower = Tower()
    sources = tower.sources(Section(), Section())
    sources.settle(BELL)
    running = len(sources.health())
    sources.settle({})

    assert (running, sources.health()) == (2, [])


@pytest.mark.parametrize("fault", [ConfigError("bad glob"), OSError(5, "lost"), KeyError("x")])
def test_a_source_that_cannot_start_harms_no_other(fault: Exception) -> None:
    tower = Tower([None, fault, None])
    sources = tower.sources(Section(), Section(), Section())
    problems = sources.settle(BELL)

    assert [bell.is_running for bell in tower.made] == [True, False, True]
    assert tower.made[1].stops == 1, "what of it had started has ended"
    assert len(problems) == 1
    assert problems[0].startswith("data_sources[1] (bell)")
    assert sources.settle({}) == []
    assert [bell.is_running for bell in tower.made] == [False, False, False]


def test_a_source_that_could_not_start_is_tried_again() -> None:
    tower = Tower([OSError(5, "lost")])
    sources = tower.sources()

    assert len(sources.settle(BELL)) == 1
    assert sources.settle(BELL) == []
    assert tower.made[1].is_running


@pytest.fixture
def folders(tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    def make(*names: str) -> tuple[str, ...]:
        for name in names:
            (tmp_path / name).mkdir(parents=True, exist_ok=True)
        return tuple(str(tmp_path / name) for name in names)

    return make


def test_only_folders_that_the_consent_names_are_watched(
    folders: Callable[..., tuple[str, ...]],
) -> None:
    allowed, below, sibling = folders("a", "a/b", "ab")
    section = FileSource(type="file_system", paths=(allowed, below, sibling))
    found = permitted(section, {"file_system": (allowed,)}, HOME)

    assert isinstance(found, AllowedFiles)
    assert found.paths == found.glob_roots == (allowed, below)
    assert permitted(section, {"file_system": ()}, HOME) is None
    assert permitted(section, {"system_metrics": ()}, HOME) is None


@pytest.mark.slow
def test_of_a_folder_the_allowed_part_alone_is_watched(
    folders: Callable[..., tuple[str, ...]],
) -> None:
    """Its globs stay relative to the folder of the settings."""
    above, notes, _, work, _ = folders(".", "notes", "notes/old", "work", "private")
    section = FileSource(type="file_system", paths=(above,), exclude=("/private", "notes/old"))
    granted = {"file_system": (notes, f"{notes}/old", work)}
    found = permitted(section, granted, HOME)
    heard: list[Event] = []
    source = from_settings(found, SystemClock(), HOME)
    source.start(heard.extend)
    try:
        for name in ("private/a", "notes/old/b", "c", "notes/d", "work/e"):
            Path(above, name).write_text("x")
        wait_until(lambda: {f"{notes}/d", f"{work}/e"} <= {each.subject for each in heard})
    finally:
        source.stop()

    assert isinstance(found, AllowedFiles)
    assert (found.paths, found.glob_roots) == ((notes, work), (above, above))
    assert {each.subject for each in heard} == {f"{notes}/d", f"{work}/e"}


@pytest.mark.slow
def test_an_allowed_folder_that_the_globs_exclude_gives_nothing(
    folders: Callable[..., tuple[str, ...]],
) -> None:
    above, private, notes = folders(".", "private", "notes")
    section = FileSource(type="file_system", paths=(above,), exclude=("private/",))
    found = permitted(section, {"file_system": (private, notes)}, HOME)
    heard: list[Event] = []
    source = from_settings(found, SystemClock(), HOME)
    source.start(heard.extend)
    try:
        Path(private, "a").write_text("x")
        Path(notes, "b").write_text("x")
        wait_until(lambda: bool(heard))
    finally:
        source.stop()

    assert {each.subject for each in heard} == {f"{notes}/b"}
    assert source.health().problems == ()


def test_home_and_links_are_resolved_before_consent_is_compared(
    folders: Callable[..., tuple[str, ...]], tmp_path: Path
) -> None:
    home, secret = folders("home/notes", "secret")
    Path(tmp_path, "home", "link").symlink_to(secret)
    section = FileSource(type="file_system", paths=("~/notes", "~/link"))
    found = permitted(section, {"file_system": (str(tmp_path / "home"),)}, str(tmp_path / "home"))

    assert found is not None
    assert found.paths == ("~/notes",)
    assert Path(home).is_dir()


def test_a_kind_without_folders_is_allowed_as_a_whole() -> None:
    section = MetricsSource(type="system_metrics")

    assert permitted(section, {"system_metrics": ()}, HOME) is section


def test_a_folder_allowed_later_is_watched_and_one_revoked_is_not(
    folders: Callable[..., tuple[str, ...]],
) -> None:
    first, second = folders("first", "second")
    section = FileSource(type="file_system", paths=(first, second))
    made: list[FileSource] = []
    tower = Tower()

    def make(wanted: FileSource) -> Bell:
        made.append(wanted)
        return tower.make(Section())

    sources = SourceSet((section,), make, tower.heard.extend, HOME)
    sources.settle({"file_system": (first,)})
    sources.settle({"file_system": (first, second)})
    sources.settle({"file_system": (second,)})

    assert [each.paths for each in made] == [(first,), (first, second), (second,)]
    assert [bell.is_running for bell in tower.made] == [False, False, True]


def test_a_bad_glob_is_named_and_the_other_folder_is_watched(
    folders: Callable[..., tuple[str, ...]],
) -> None:
    (folder,) = folders("watched")
    sections = [
        FileSource(type="file_system", paths=(folder,), exclude=("!",)),
        FileSource(type="file_system", paths=(folder,)),
    ]
    clock = ManualClock()
    sources = SourceSet(
        sections, lambda wanted: from_settings(wanted, clock, HOME), [].extend, HOME
    )
    (problem,) = sources.settle({"file_system": (folder,)})
    running = len(sources.health())

    assert "data_sources[0] (file_system): invalid path pattern" in problem
    assert running == 1
    assert sources.settle({}) == []
    assert sources.health() == []


def test_a_pause_stops_all_but_what_empties_the_spools_of_hooks() -> None:
    granted = {
        "file_system": ("/w",),
        "shell_history": (),
        "system_metrics": (),
        "shell_companion": (),
        "git_commits": ("/w",),
    }

    assert while_paused(granted) == {"shell_companion": (), "git_commits": ("/w",)}


def test_a_source_that_was_paused_begins_anew() -> None:
    tower = Tower()
    sources = tower.sources(Section())
    sources.settle(BELL)
    sources.settle(while_paused(BELL))
    assert [bell.is_running for bell in tower.made] == [False]
    sources.settle(BELL)

    assert [bell.is_running for bell in tower.made] == [False, True]


def test_of_documents_the_allowed_folders_alone_are_read(tmp_path: Path) -> None:
    allowed, other = str(tmp_path / "papers/open"), str(tmp_path / "other")
    section = DocumentsSource(type="documents", paths=(str(tmp_path / "papers"), other))
    permitted_section = permitted(section, {"documents": [allowed]}, HOME)

    assert permitted_section == section.model_copy(update={"paths": (allowed,)})
    assert permitted(section, {"documents": [str(tmp_path / "elsewhere")]}, HOME) is None


def test_a_source_is_told_since_when_its_consent_stands(tmp_path: Path) -> None:
    section = BrowserHistoryAt(
        type="browser_history", positions=str(tmp_path), copies=str(tmp_path)
    )
    made: list[BrowserHistoryAt] = []

    def make(wanted: BrowserHistoryAt) -> Bell:
        made.append(wanted)
        return Bell()

    sources = SourceSet([section], make, lambda *_: True, HOME)
    for since_us in (5, 5, 9):
        sources.settle({"browser_history": ()}, {"browser_history": since_us})

    assert [each.consent_us for each in made] == [5, 9]


def test_before_its_consent_is_said_a_source_reads_nothing(tmp_path: Path) -> None:
    (tmp_path / ".git/logs").mkdir(parents=True)
    (tmp_path / ".git/logs/HEAD").write_text("0 1 A <a> 1767225600 +0000\tcommit: x\n")
    unsaid = GitActivityAt(
        type="git_activity", paths=(str(tmp_path),), positions=str(tmp_path / "a"), copies=""
    )
    said = unsaid.model_copy(update={"positions": str(tmp_path / "b"), "consent_us": 5})
    counts = [
        list(GitReader(section, HOME).read(lambda *_: True, 10**16, is_last=False))
        for section in (unsaid, said)
    ]

    assert counts == [[0], [1]]
