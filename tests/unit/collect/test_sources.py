"""Every source that comes in by the door keeps every law."""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from selflow.collect import sources
from selflow.collect.companion.sections import CommitsAt, CompanionAt
from selflow.collect.companion.source import SpoolSource
from selflow.collect.files import FileSource
from selflow.collect.polled import PolledSource
from selflow.collect.rooted import BrowserHistoryAt, CalendarAt, DocumentsAt, GitActivityAt
from selflow.collect.shell_source import ShellHistorySource
from selflow.collect.sources import Source, make_source
from selflow.collect.system_metrics import MetricsSource
from selflow.core.clock import SystemClock
from selflow.core.errors import ConfigError
from selflow.core.plugins import installed
from selflow.core.settings import FileSource as FileSection
from selflow.core.settings import MetricsSource as MetricsSection
from selflow.core.settings import ShellHistorySource as ShellSection
from selflow.core.source_settings import ApplicationUsageSource
from selflow.testing import SOURCE_LAWS, check_source
from tests.unit.collect.histories import CHROMIUM, Browser
from tests.unit.collect.parsing import read_here
from tests.unit.collect.programs import Programs

NAMES = (
    "application_usage",
    "browser_history",
    "calendar",
    "documents",
    "file_system",
    "git_activity",
    "git_commits",
    "shell_companion",
    "shell_history",
    "system_metrics",
)


def _section(name: str, folder: Path) -> Any:
    kept: dict[str, Any] = {
        "positions": str(folder / "positions"),
        "copies": str(folder / "copies"),
        "consent_us": SystemClock().now_us(),
    }
    return {
        "application_usage": ApplicationUsageSource(
            type="application_usage", track_window_focus=False, sample_interval_s=0.1
        ),
        "browser_history": BrowserHistoryAt(
            type="browser_history", sample_interval_s=0.1, history_days=3_650, **kept
        ),
        "calendar": CalendarAt(
            type="calendar", paths=(str(folder),), sample_interval_s=0.1, history_days=1, **kept
        ),
        "documents": DocumentsAt(
            type="documents", paths=(str(folder),), sample_interval_s=0.1, **kept
        ),
        "file_system": FileSection(type="file_system", paths=(str(folder),), coalesce_s=0.05),
        "git_activity": GitActivityAt(
            type="git_activity", paths=(str(folder),), sample_interval_s=0.1, **kept
        ),
        "git_commits": CommitsAt(
            type="git_commits", sample_interval_s=0.1, spool=str(folder), folders=("/",)
        ),
        "shell_companion": CompanionAt(
            type="shell_companion", sample_interval_s=0.1, spool=str(folder)
        ),
        "shell_history": ShellSection(
            type="shell_history", paths=(str(folder / "h"),), sample_interval_s=0.1
        ),
        "system_metrics": MetricsSection(type="system_metrics", sample_interval_s=0.1),
    }[name]


def _stirring(folder: Path, programs: Programs) -> Callable[[], None]:
    browser, numbers = Browser(folder / CHROMIUM), count()
    (folder / ".git/logs").mkdir(parents=True)

    def stir() -> None:
        programs.start()
        with (folder / ".git/logs/HEAD").open("a") as file:
            file.write(
                f"0 {next(numbers)} A <a> {SystemClock().now_us() // 10**6} +0000\tcommit: x\n"
            )
        (folder / f"{len(list(folder.glob('*.md')))}.md").write_text("text")
        begin = f"{datetime.now(UTC) - timedelta(minutes=1):%Y%m%dT%H%M%SZ}"
        (folder / "a.ics").write_text(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:Review\n"
            f"DTSTART:{begin}\nEND:VEVENT\nEND:VCALENDAR\n"
        )
        browser.visit("https://a.example/", SystemClock().now_us())
        with (folder / "h").open("a") as file:
            file.write("ls -la\n")
        record = ("1", "1767225600000000", "zsh", "/", "0", "1", "", "ls -la")
        commit = ("1", "1767225600000000", "git", "/", "0", "0", "", "ab12\nFix\n\na.c")
        for each in (record, commit):
            path = folder / f"1767225600000000-{each[2]}-1.log"
            path.write_text("".join(f"{field}\0" for field in each))

    return stir


def test_the_door_knows_our_sources() -> None:
    assert set(installed(sources.GROUP)) >= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_source_keeps_every_law(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("calendar_source", "documents"):
        monkeypatch.setattr(f"selflow.collect.{module}.read_confined", read_here)
    # A signal, which only the child's main thread can take
    monkeypatch.setattr("selflow.collect.confined.calendar_file._time_limit", nullcontext)

    def make() -> Source:
        return make_source(_section(name, tmp_path), SystemClock(), str(tmp_path))

    programs = Programs(tmp_path)
    try:
        check_source(make, _stirring(tmp_path, programs))
    finally:
        programs.end()
    assert len(SOURCE_LAWS) == 5


def test_each_name_leads_to_its_source(tmp_path: Path) -> None:
    made = [make_source(_section(name, tmp_path), SystemClock(), "/home/u") for name in NAMES]

    kinds = [
        *[PolledSource] * 4,
        FileSource,
        PolledSource,
        SpoolSource,
        SpoolSource,
        ShellHistorySource,
        MetricsSource,
    ]
    assert [type(source) for source in made] == kinds


def test_a_source_that_is_not_installed_is_named_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Unknown:
        type = "bank_account"

    monkeypatch.setattr(sources, "installed", lambda _: dict.fromkeys(NAMES))
    with pytest.raises(ConfigError, match="unknown source bank_account") as caught:
        make_source(Unknown(), SystemClock(), "/home/u")

    assert ", ".join(NAMES) in caught.value.hint
