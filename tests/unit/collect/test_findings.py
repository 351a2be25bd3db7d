"""What a machine has: counted, by kind, and nothing kept."""

from pathlib import Path

import pytest

from selflow.collect.findings import find_sources
from tests.unit.collect.histories import CHROMIUM, FIREFOX, Browser


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.fixture
def furnished(tmp_path: Path) -> Path:
    home = tmp_path / "me"
    _write(home / ".bash_history", "ls\ncd\n")
    browser = Browser(home / CHROMIUM)
    browser.visit("https://secret.example/", 1)
    browser.close()
    _write(home / FIREFOX, "no database")
    _write(home / "Calendars/a.ics", "BEGIN:VEVENT\nEND:VEVENT\nBEGIN:VEVENT\nEND:VEVENT\n")
    _write(home / "Documents/a.pdf", "")
    _write(home / "Documents/b/c.md", "")
    _write(home / "Documents/d.bin", "")
    _write(home / "code/project/.git/logs/HEAD", "1\n2\n3\n")
    _write(home / "code/project/node_modules/x/.git/logs/HEAD", "1\n")
    return home


def test_everything_is_found_with_its_count(furnished: Path, tmp_path: Path) -> None:
    found = list(find_sources(furnished, tmp_path / "copies"))

    assert [(each.kind, each.location, each.count) for each in found] == [
        ("shell_history", "~/.bash_history", 2),
        ("browser_history", "firefox, ~/.mozilla/firefox/ab12.default (not readable)", 0),
        ("browser_history", "chromium, ~/.config/chromium/Default", 1),
        ("calendar", "~/Calendars", 2),
        ("documents", "~/Documents", 2),
        ("git_commits", "~/code/project", 3),
    ]
    assert str(found[5]).endswith("3 acts; to bring it in: selflow import git ~/code/project")


def test_nothing_is_kept_of_what_is_counted(furnished: Path, tmp_path: Path) -> None:
    found = list(find_sources(furnished, tmp_path / "copies"))

    assert list((tmp_path / "copies").iterdir()) == []
    assert "secret.example" not in str(found)


def test_an_empty_home_has_nothing(tmp_path: Path) -> None:
    assert list(find_sources(tmp_path, tmp_path / "copies")) == []
