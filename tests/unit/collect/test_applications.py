"""Windows in front: how long each was, what of it is told, on a real X server and without one."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from selflow.collect.applications.desktop import open_desktop
from selflow.collect.applications.focus import FocusRules, FocusTracker, Window
from selflow.collect.applications.programs import Program, changes
from selflow.collect.applications.source import ApplicationReader
from selflow.core.errors import RefusedError
from selflow.core.events import Event
from selflow.core.source_settings import ApplicationUsageSource
from tests.unit.collect.programs import Programs
from tests.waiting import wait_until

T0_US = 1_767_225_600_000_000
EDITOR, MAIL = Window("Emacs", "notes.org"), Window("Thunderbird", "Inbox")


def _tracker(**options: Any) -> FocusTracker:
    rules = {"idle_after_s": 180.0, "report_interval_s": 60.0, "store_titles": True, **options}
    return FocusTracker(FocusRules(**rules))


def _told(tracker: FocusTracker, looks: Sequence[tuple[int, Window | None, float]]) -> list[Event]:
    """The events of looks at seconds, each with the window and the idle time."""
    told = [
        event
        for second, window, idle_s in looks
        for event in tracker.look(T0_US + second * 1_000_000, window, idle_s)
    ]
    return [*told, *tracker.end()]


def _spans(events: Sequence[Event]) -> list[tuple[str, float, float]]:
    return [(each.app or each.kind, (each.ts_us - T0_US) / 1e6, each.duration_s) for each in events]


def test_a_window_is_told_with_its_time_in_front() -> None:
    told = _told(_tracker(), [(0, EDITOR, 0), (5, EDITOR, 0), (10, MAIL, 0), (15, MAIL, 0)])

    assert _spans(told) == [("Emacs", 0, 10), ("Thunderbird", 10, 5)]
    assert told[0].data == {"title": "notes.org"}


def test_a_window_that_stays_is_told_at_every_interval() -> None:
    told = _told(_tracker(), [(second, EDITOR, 0) for second in range(0, 131, 10)])

    assert _spans(told) == [("Emacs", 0, 60), ("Emacs", 60, 60), ("Emacs", 120, 10)]


def test_idle_time_belongs_to_no_window() -> None:
    looks = [(second, EDITOR, max(0.0, second - 20)) for second in range(0, 301, 10)]
    told = _told(_tracker(report_interval_s=1e4), [*looks, (305, EDITOR, 1), (310, EDITOR, 0)])

    assert _spans(told) == [("Emacs", 0, 20), ("app.idle", 20, 284), ("Emacs", 305, 5)]


def test_while_the_machine_sleeps_no_window_is_in_front() -> None:
    told = _told(
        _tracker(), [(0, EDITOR, 0), (10, EDITOR, 0), (3_600, EDITOR, 0), (3_605, None, 0)]
    )

    assert _spans(told) == [("Emacs", 0, 10), ("Emacs", 3_600, 5)]


def test_a_clock_that_is_set_back_gives_no_negative_time() -> None:
    told = _told(_tracker(), [(100, EDITOR, 0), (105, EDITOR, 0), (0, EDITOR, 0), (5, MAIL, 0)])

    assert _spans(told) == [("Emacs", 100, 5), ("Emacs", 0, 5)]


@pytest.mark.parametrize(
    "title",
    ["Bank - Mozilla Firefox Private Browsing", "x - Google Chrome (Incognito)", "InPrivate x"],
)
def test_of_a_private_window_only_the_browser_is_told(title: str) -> None:
    (told,) = _told(_tracker(), [(0, Window("firefox", title), 0), (5, None, 0)])

    assert (told.app, told.data) == ("firefox", {})


def test_titles_are_left_out_on_request() -> None:
    (told,) = _told(_tracker(store_titles=False), [(0, EDITOR, 0), (5, None, 0)])

    assert (told.subject, told.data) == ("Emacs", {})


def test_a_window_with_an_excluded_title_is_not_told() -> None:
    looks = [(0, EDITOR, 0), (5, Window("firefox", "My BANK"), 0), (10, MAIL, 0), (12, MAIL, 0)]
    told = _told(_tracker(exclude_titles=("*bank*",)), looks)

    assert _spans(told) == [("Emacs", 0, 5), ("Thunderbird", 10, 2)]


def test_programs_are_told_when_they_start_and_end() -> None:
    before = {"vim": Program("vim", T0_US)}
    now = {"make": Program("make", T0_US + 5_000_000)}
    told = changes(before, now, T0_US + 9_000_000)

    assert [(each.kind, each.app) for each in told] == [("app.start", "make"), ("app.end", "vim")]
    assert told[1].duration_s == 9


@pytest.mark.parametrize(
    ("environ", "platform", "why"),
    [
        ({}, "linux", "no desktop here"),
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, "linux", "under Wayland"),
        ({"DISPLAY": ":0"}, "darwin", "on darwin"),
        ({"DISPLAY": "far.example:0"}, "linux", "no X server of this machine"),
        ({"DISPLAY": ":7123"}, "linux", "no X server of this machine at :7123"),
    ],
)
def test_where_windows_are_not_available_it_is_said(
    environ: dict[str, str], platform: str, why: str
) -> None:
    with pytest.raises(RefusedError, match=why) as caught:
        open_desktop(environ, platform)

    assert "track_window_focus: false" in caught.value.hint


@pytest.mark.slow
def test_without_windows_programs_are_told_and_the_reason(tmp_path: Path) -> None:
    section = ApplicationUsageSource(type="application_usage")
    reader = ApplicationReader(section, lambda: open_desktop({}))
    told: list[Event] = []

    def keep(events: Sequence[Event], batch_id: int | None = None) -> bool:
        told.extend(events)
        return True

    programs = Programs(tmp_path)
    name = programs.start()
    outcome = list(reader.read(keep, T0_US * 2, is_last=False))
    programs.end()

    assert name in {event.app for event in told if event.kind == "app.start"}
    assert any("no desktop here" in str(each) for each in outcome)


@pytest.fixture(scope="module")
def x_server(tool: Callable[[str], str]) -> Iterator[str]:
    """The name of an X server of its own."""
    reading, writing = os.pipe()
    command = [tool("Xvfb"), "-displayfd", str(writing), "-screen", "0", "640x480x8"]
    with subprocess.Popen(
        [*command, "-nolisten", "tcp", "-noreset"], pass_fds=[writing], stderr=subprocess.DEVNULL
    ) as server:
        name = f":{os.read(reading, 20).decode().strip()}"
        yield name
        server.kill()
    os.close(reading)
    os.close(writing)


class Screen:
    """What a window manager does: it gives one of several real windows the focus."""

    def __init__(self, name: str) -> None:
        self._display: Any = import_module("Xlib.display").Display(name)
        self._root = self._display.screen().root

    def find(self, app: str) -> Any:
        """The window of a program; None until it is on the screen."""
        for window in self._root.query_tree().children:
            named = window.get_wm_class()
            if named and named[1] == app and window.get_attributes().map_state:
                return window
        return None

    def activate(self, app: str, *, by_property: bool) -> None:
        """Bring a window to the front, in one of the two ways in which it is known."""
        atom = self._display.intern_atom("_NET_ACTIVE_WINDOW")
        wait_until(lambda: self.find(app) is not None)
        if by_property:
            self._root.change_property(atom, 33, 32, [self.find(app).id])
        else:
            self._root.delete_property(atom)
            self.find(app).set_input_focus(1, 0)
        self._display.sync()


@pytest.fixture(scope="module")
def windows(x_server: str, tool: Callable[[str], str]) -> Iterator[Screen]:
    """Two real windows."""
    xterm, environ = tool("xterm"), {**os.environ, "DISPLAY": x_server}
    running = [
        subprocess.Popen(
            [xterm, "-class", app, "-T", title, "-e", "sleep", "600"],
            env=environ,
            stderr=subprocess.DEVNULL,
        )
        for app, title in (("Editor", "Prüfung.txt"), ("Mail", "Inbox"))
    ]
    yield Screen(x_server)
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("by_property", [True, False])
def test_the_window_in_front_is_told_by_a_real_x_server(
    by_property: bool,  # noqa: FBT001
    windows: Screen,
    x_server: str,
) -> None:
    desktop = open_desktop({"DISPLAY": x_server})
    seen = []
    for app in ("Mail", "Editor"):
        windows.activate(app, by_property=by_property)
        seen.append(desktop.foreground())
    desktop.close()

    assert seen == [Window("Mail", "Inbox"), Window("Editor", "Prüfung.txt")]


@pytest.mark.slow
def test_idle_time_ends_with_a_key(windows: Screen, x_server: str) -> None:
    desktop = open_desktop({"DISPLAY": x_server})
    wait_until(lambda: desktop.idle_s() > 0.5)
    before_s = desktop.idle_s()
    display = windows._display
    display.xtest_fake_input(2, 38)
    display.xtest_fake_input(3, 38)
    display.sync()
    after_s = desktop.idle_s()
    desktop.close()

    assert after_s < before_s


@pytest.mark.slow
def test_a_desktop_that_ends_is_no_fault(tool: Callable[[str], str]) -> None:
    reading, writing = os.pipe()
    server = subprocess.Popen(
        [tool("Xvfb"), "-displayfd", str(writing), "-nolisten", "tcp", "-noreset"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    name = f":{os.read(reading, 20).decode().strip()}"
    section = ApplicationUsageSource(type="application_usage")
    reader = ApplicationReader(section, lambda: open_desktop({"DISPLAY": name}))
    first = list(reader.read(lambda *_: True, T0_US, is_last=False))
    server.kill()
    server.wait()
    second = list(reader.read(lambda *_: True, T0_US + 1_000_000, is_last=False))
    third = list(reader.read(lambda *_: True, T0_US + 61_000_000, is_last=False))

    assert (first, second) == ([0], [0])
    assert "no X server" in str(third[-1])
