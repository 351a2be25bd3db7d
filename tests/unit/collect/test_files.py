"""The file source: what a person did, not what an editor did; and clear words where nothing can be
seen.
"""

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Condition

import pytest

from selflow.collect.coalesce import Change, Coalescer
from selflow.collect.files import FileFilter, FileSource, as_event
from selflow.collect.watching import why_refused, why_unreadable
from selflow.core.clock import SystemClock
from selflow.core.events import Event
from selflow.core.settings import FileSource as Section

WINDOW_US = 500_000


def _after(*offers: tuple[object, ...]) -> list[tuple[str, str]]:
    """What a coalescer makes of changes one millisecond apart."""
    coalescer = Coalescer(WINDOW_US)
    for place, (kind, path, *to) in enumerate(offers):
        coalescer.offer(kind, path, place * 1_000, *to)  # type: ignore[arg-type]
    return [(change.kind, change.path) for change in coalescer.due(10 * WINDOW_US)]


@pytest.mark.parametrize(
    ("offers", "changes"),
    [
        ([("modify", "a")] * 5, [("modify", "a")]),
        ([("create", "a"), ("modify", "a"), ("modify", "a")], [("create", "a")]),
        ([("create", "a"), ("delete", "a")], []),
        ([("modify", "a"), ("delete", "a")], [("delete", "a")]),
        ([("delete", "a"), ("create", "a"), ("modify", "a")], [("modify", "a")]),
        ([("create", "a.tmp"), ("modify", "a.tmp"), ("move", "a.tmp", "a")], [("modify", "a")]),
        (
            [("modify", "a"), ("create", "t"), ("move", "t", "a"), ("modify", "a")],
            [("modify", "a")],
        ),
        ([("move", "a", "b")], [("move", "b")]),
        ([("modify", "a"), ("move", "a", "b")], [("move", "b")]),
        ([("move", "a", "b"), ("move", "b", "c")], [("move", "c")]),
        ([("move", "a", "b"), ("move", "b", "a")], [("modify", "a")]),
        ([("move", "a", "b"), ("modify", "b")], [("move", "b")]),
        ([("move", "a", "b"), ("delete", "b")], [("delete", "a")]),
        ([("modify", "a"), ("modify", "b")], [("modify", "a"), ("modify", "b")]),
    ],
)  # fmt: skip
def test_a_burst_is_what_the_person_did(
    offers: Sequence[tuple[object, ...]], changes: list[tuple[str, str]]
) -> None:
    assert _after(*offers) == changes


def test_a_change_is_held_back_for_the_window_and_no_longer() -> None:
    coalescer = Coalescer(WINDOW_US)
    coalescer.offer("modify", "a", 1_000_000)
    coalescer.offer("modify", "a", 1_400_000)

    assert coalescer.due(1_499_999) == []
    assert coalescer.due(1_500_000) == [Change("modify", "a", 1_000_000, 1_000_000)]
    assert coalescer.due(9_000_000) == []


def test_a_file_that_never_rests_is_told_once_per_window() -> None:
    coalescer = Coalescer(WINDOW_US)
    told = 0
    for tick in range(100):
        coalescer.offer("modify", "log", tick * 100_000)
        told += len(coalescer.due(tick * 100_000))

    assert told == 16


def test_changes_of_one_burst_share_a_step_and_the_next_burst_has_its_own() -> None:
    coalescer = Coalescer(WINDOW_US)
    for path, ts_us in (("a", 0), ("b", 400_000), ("c", 800_000), ("d", 5_000_000)):
        coalescer.offer("modify", path, ts_us)

    assert [change.step_us for change in coalescer.rest()] == [0, 0, 0, 5_000_000]


def test_a_clock_that_is_set_back_holds_nothing_for_ever() -> None:
    coalescer = Coalescer(WINDOW_US)
    coalescer.offer("modify", "a", 9_000_000)

    assert [change.path for change in coalescer.due(1_000_000)] == ["a"]


def test_a_move_says_where_from_and_bad_names_stay_readable() -> None:
    event = as_event(Change("move", os.fsdecode(b"/w/\xff"), 7, 5, "/w/old"))

    assert event == Event(7, "files", "file.move", "/w/�", data={"step": "5", "from": "/w/old"})


def _filter(include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Callable[[str], bool]:
    return FileFilter("/home/u/build/proj", include, exclude, "/home/u").counts


def test_noise_does_not_count_and_the_way_to_the_folder_is_no_noise() -> None:
    counts = _filter()

    assert counts("/home/u/build/proj/src/a.py")
    noise = [
        ".git/index",
        "src/__pycache__/a.pyc",
        "node_modules/x/y.js",
        "build/out.o",
        "a.swp",
        "a~",
        ".#a",
        "4913",
    ]
    assert [name for name in noise if counts(f"/home/u/build/proj/{name}")] == []


def test_the_owner_includes_and_excludes_by_glob() -> None:
    assert not _filter(exclude=["*.log"])("/home/u/build/proj/x/a.log")
    assert not _filter(exclude=["~/build/proj/private/"])("/home/u/build/proj/private/a")
    assert _filter(exclude=["!build/"])("/home/u/build/proj/build/a.py")
    assert _filter(include=["*.py"])("/home/u/build/proj/src/a.py")
    assert not _filter(include=["*.py"])("/home/u/build/proj/src/a.c")
    assert not _filter(include=["*.py"])("/home/u/build/proj/.venv/a.py")
    assert _filter(include=["~/build/proj/src/"])("/home/u/build/proj/src/a.c")


def test_folders_of_noise_are_not_watched() -> None:
    filtering = FileFilter("/home/u/build", (), (), "/home/u")

    assert filtering.skips_folder("/home/u/build/.git")
    assert not filtering.skips_folder("/home/u/build/src")
    assert not filtering.skips_folder("/home/u/build")


class _Told:
    """Collects events and waits for those a test wants to see."""

    def __init__(self) -> None:
        self._changed = Condition()
        self.events: list[Event] = []

    def __call__(self, events: Sequence[Event]) -> None:
        with self._changed:
            self.events.extend(events)
            self._changed.notify_all()

    def seen(self, kind: str, path: Path) -> bool:
        def is_there() -> bool:
            return any((event.kind, event.subject) == (kind, str(path)) for event in self.events)

        with self._changed:
            return self._changed.wait_for(is_there, timeout=10)


def _source(*paths: Path, **options: object) -> FileSource:
    section = Section(type="file_system", paths=tuple(map(str, paths)), coalesce_s=0.05, **options)  # type: ignore[arg-type]
    return FileSource(section, SystemClock(), "/home/u")


def test_changes_are_told_as_they_happen_also_in_new_folders(tmp_path: Path) -> None:
    told, source = _Told(), _source(tmp_path)
    (tmp_path / "old").write_text("x")
    source.start(told)
    (tmp_path / "a").write_text("x")
    assert told.seen("file.create", tmp_path / "a")
    (tmp_path / "a").write_text("y")
    assert told.seen("file.modify", tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert told.seen("file.move", tmp_path / "b")
    (tmp_path / "new" / "deep").mkdir(parents=True)
    (tmp_path / "new" / "deep" / "c").write_text("x")
    assert told.seen("file.create", tmp_path / "new" / "deep" / "c")
    (tmp_path / "old").unlink()
    assert told.seen("file.delete", tmp_path / "old")
    source.stop()

    assert all(event.data["step"] for event in told.events)
    assert {event.source for event in told.events} == {"files"}


def test_a_save_by_way_of_a_temporary_file_is_one_modify(tmp_path: Path) -> None:
    target, mark = tmp_path / "text", tmp_path / "mark"
    target.write_text("old")
    told, source = _Told(), _source(tmp_path)
    source.start(told)
    for temporary in ("text.new", "text.tmp"):  # the second one is noise by its name
        (tmp_path / temporary).write_text("new")
        (tmp_path / temporary).rename(target)
    mark.write_text("x")
    assert told.seen("file.create", mark)
    source.stop()

    assert [(event.kind, event.subject) for event in told.events if event.subject != str(mark)] == [
        ("file.modify", str(target))
    ]


def test_only_the_kinds_asked_for_are_told_and_noise_is_not(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    told, source = _Told(), _source(tmp_path, events=("delete",))
    source.start(told)
    (tmp_path / ".git" / "index").write_text("x")
    (tmp_path / "gone").write_text("x")
    (tmp_path / "mark").write_text("x")
    (tmp_path / ".git" / "index").unlink()
    source.stop()
    again = _source(tmp_path, events=("delete",))
    again.start(told)
    (tmp_path / "mark").unlink()
    assert told.seen("file.delete", tmp_path / "mark")
    again.stop()

    assert {event.kind for event in told.events} == {"file.delete"}
    assert not any(".git" in event.subject for event in told.events)


def test_a_folder_that_cannot_be_read_is_one_problem_and_the_others_go_on(tmp_path: Path) -> None:
    told, source = _Told(), _source(tmp_path / "missing", tmp_path)
    source.start(told)
    (tmp_path / "a").write_text("x")
    assert told.seen("file.create", tmp_path / "a")
    health = source.health()
    source.stop()

    assert health.state == "degraded"
    assert health.problems == (
        f"{tmp_path}/missing is not a folder or does not exist; correct data_sources or create it",
    )


def test_a_home_folder_may_be_written_with_a_tilde(tmp_path: Path) -> None:
    section = Section(type="file_system", paths=("~",), coalesce_s=0.05)
    told, source = _Told(), FileSource(section, SystemClock(), str(tmp_path))
    source.start(told)
    (tmp_path / "a").write_text("x")

    assert told.seen("file.create", tmp_path / "a")
    source.stop()


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (
            errno.ENOSPC,
            (
                "the limit of file watches is reached at /w/big; exclude large folders, or "
                "raise it: sysctl"
            ),
        ),
        (
            errno.EMFILE,
            (
                "no file watch is left for /w/big; raise the limit: "
                "sysctl fs.inotify.max_user_instances"
            ),
        ),
        (errno.EACCES, "/w/big cannot be watched: Permission denied; exclude it"),
    ],
)
def test_what_the_kernel_refuses_is_said_with_the_next_step(number: int, says: str) -> None:
    assert why_refused("/w/big", OSError(number, "x")).startswith(says)


def test_a_readable_folder_has_no_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    assert why_unreadable(str(tmp_path)) == ""
    assert "is not a folder" in why_unreadable(str(tmp_path / "file"))


def test_the_kernels_limit_below_a_folder_is_a_problem_and_the_rest_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from watchdog.observers.inotify_c import InotifyFD

    real = InotifyFD.add_callback

    def limited(self: InotifyFD, path: bytes, *rest: object) -> object:
        if path.endswith(b"/big"):
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        return real(self, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(InotifyFD, "add_callback", limited)
    (tmp_path / "big").mkdir()
    told, source = _Told(), _source(tmp_path)
    source.start(told)
    (tmp_path / "a").write_text("x")
    assert told.seen("file.create", tmp_path / "a")
    problems = source.health().problems
    source.stop()

    assert len(problems) == 1
    assert f"limit of file watches is reached at {tmp_path}/big" in problems[0]
