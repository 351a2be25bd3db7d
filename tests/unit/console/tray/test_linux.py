"""The tray as a process of its own on a private session bus, with a watcher of the test."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from selflow.core.grants import OWNER
from selflow.core.paths import Root
from selflow.core.session_files import SessionRequest, write_request
from selflow.store.catalog import Catalog
from selflow.store.notice_records import Notice
from selflow.store.reading import CatalogReader
from selflow.store.row_writer import writing
from tests.unit.console.server.test_process import free_port, session, while_serving
from tests.unit.console.tray.desktop import Desktop, session_bus
from tests.waiting import wait_until

__all__ = ["session"]
pytestmark = pytest.mark.slow
PROGRAM = "from selflow.console.cli.main import main; main()"


@pytest.fixture
def bus(tool: Callable[[str], str], tmp_path: Path) -> Iterator[str]:
    with session_bus(tool("dbus-daemon"), tmp_path) as address:
        yield address


@contextmanager
def tray(root: Root, address: str, opener: Path | None = None) -> Iterator["subprocess.Popen[str]"]:
    """The process; killed at the end of the block, if it has not ended."""
    environ = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": address}
    if opener:
        environ["BROWSER"] = f"{opener} %s"
    command = [sys.executable, "-c", PROGRAM, "--home", str(root.path), "tray"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def recorder(folder: Path) -> tuple[Path, Path]:
    """A browser that writes down what it was asked to open."""
    program, opened = folder / "browser", folder / "opened"
    program.write_text(f'#!/bin/sh\necho "$1" > {opened}.part; mv {opened}.part {opened}\n')
    program.chmod(0o755)
    return program, opened


def test_it_registers_shows_its_menu_opens_a_page_and_ends(
    session: Root, bus: str, tmp_path: Path
) -> None:
    write_request(session, SessionRequest(assignments=(f"console.port={free_port()}",)))
    opener, opened = recorder(tmp_path)

    async def look() -> dict[str, Any]:
        desktop = await Desktop.begin(bus)
        with tray(session, bus, opener) as process:
            await desktop.until(lambda: desktop.is_shown)
            seen: dict[str, Any] = {"title": await desktop.property_of("Title")}
            seen["pixmaps"] = await desktop.property_of("IconPixmap")
            before = await desktop.labels()
            with Catalog.open(session.catalog) as catalog:
                catalog.cycles.request(OWNER, 1)
            await desktop.click(before["🔄 Refresh Data"])
            await desktop.until(
                lambda: [s for s in desktop.signals if s.member == "ItemsPropertiesUpdated"]
            )
            after = await desktop.labels()
            seen["changed"] = sorted(after.keys() - before.keys())
            await desktop.click(after["⚙️ Settings"])
            await asyncio.to_thread(wait_until, opened.exists, 3.0)
            process.send_signal(signal.SIGTERM)
            seen["code"] = await asyncio.to_thread(process.wait, 20)
        desktop.bus.disconnect()
        seen["numbers"] = before["⚙️ Settings"] == after["⚙️ Settings"]
        return seen

    seen = while_serving(session, lambda: asyncio.run(look()))

    assert seen["title"] == "SelFlow"
    assert [(w, h, len(pixels)) for w, h, pixels in seen["pixmaps"]] == [
        (22, 22, 1_936),
        (44, 44, 7_744),
    ]
    assert seen["changed"] == ["📦 Training Queue (1 waiting)"]
    page = (session.run / "open.html").read_text()
    assert "/login?to=/settings#" in page
    assert opened.read_text().strip().endswith("/open.html")
    assert (seen["code"], seen["numbers"]) == (0, True)


def test_a_desktop_without_trays_is_said_in_a_sentence(root: Root, bus: str) -> None:
    with tray(root, bus) as process:
        _, said = process.communicate(timeout=15)

    assert process.returncode == 3
    assert said.splitlines() == [
        "error: this desktop has no tray that shows StatusNotifierItem",
        "hint: selflow ui opens the page instead",
    ]


@pytest.mark.setting("tray.emoji")
def test_the_owner_can_have_the_menu_without_emoji(root: Root, bus: str) -> None:
    root.runtime_overrides.parent.mkdir(exist_ok=True)
    root.runtime_overrides.write_text("tray:\n  emoji: 'off'\n")

    async def look() -> list[str]:
        desktop = await Desktop.begin(bus)
        with tray(root, bus) as process:
            await desktop.until(lambda: desktop.is_shown)
            labels = sorted(await desktop.labels())
            process.terminate()
            await asyncio.to_thread(process.wait, 20)
        desktop.bus.disconnect()
        return labels

    assert asyncio.run(look()) == ["Not running: Start", "SelFlow"]


def test_without_a_session_bus_it_says_so(root: Root, tmp_path: Path) -> None:
    with tray(root, f"unix:path={tmp_path}/none") as process:
        _, said = process.communicate(timeout=15)

    assert process.returncode == 3
    assert "no D-Bus session bus is reachable" in said


def test_it_registers_again_with_a_watcher_that_was_started_again(root: Root, bus: str) -> None:
    async def look() -> tuple[list[str], list[str]]:
        first = await Desktop.begin(bus)
        with tray(root, bus) as process:
            await first.until(lambda: first.is_shown)
            first.bus.disconnect()
            second = await Desktop.begin(bus)
            await second.until(lambda: second.items)
            labels = sorted(await second.labels())
            process.terminate()
            await asyncio.to_thread(process.wait, 20)
        second.bus.disconnect()
        return first.items, labels

    items, labels = asyncio.run(look())

    assert len(items) == 1
    assert labels == ["🔄 Not running: Start", "🧠 SelFlow"]


@pytest.mark.parametrize(
    "is_on",
    [
        pytest.param(True, id="on"),
        pytest.param(False, id="off", marks=pytest.mark.setting("notifications.desktop")),
    ],
)
def test_a_notice_is_a_toast_that_opens_its_page(
    session: Root, bus: str, tmp_path: Path, *, is_on: bool
) -> None:
    write_request(session, SessionRequest(assignments=(f"console.port={free_port()}",)))
    session.runtime_overrides.parent.mkdir(exist_ok=True)
    session.runtime_overrides.write_text(f"notifications:\n  desktop: {str(is_on).lower()}\n")
    opener, opened = recorder(tmp_path)

    async def look() -> tuple[list[Any], Notice]:
        desktop = await Desktop.begin(bus)
        with tray(session, bus, opener) as process:
            await desktop.until(lambda: desktop.is_shown)
            labels = await desktop.labels()
            notice = Notice("ntc_1", "agent.promoted", "agt@1", "", 1)
            with writing(session.catalog) as rows:
                rows.insert(notice)
            await desktop.click(labels["🔄 Refresh Data"])
            if is_on:
                await desktop.until(lambda: desktop.toasts)
                await desktop.labels()  # by now the tray has read the toast's number
                await desktop.click_toast(1)
                await asyncio.to_thread(wait_until, opened.exists, 3.0)
            else:
                changed = "ItemsPropertiesUpdated"
                await desktop.until(lambda: [s for s in desktop.signals if s.member == changed])
            process.terminate()
            await asyncio.to_thread(process.wait, 20)
        desktop.bus.disconnect()
        (stored,) = CatalogReader(session.catalog).learned(Notice)
        return desktop.toasts, stored

    toasts, stored = while_serving(session, lambda: asyncio.run(look()))

    assert [toast[4] for toast in toasts] == ["An agent passed its verdict and serves."] * is_on
    assert (stored.acted_at_us is not None) == is_on
    if is_on:
        assert "/login?to=/agents#" in (session.run / "open.html").read_text()
