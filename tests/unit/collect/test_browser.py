"""Histories of browsers: every visit once, read from a copy, and nothing of what is private."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from selflow.collect.browser.profiles import find_profiles
from selflow.collect.browser.source import BrowserReader, page_address
from selflow.collect.event_filter import EventFilter
from selflow.collect.normalise import Exclusions
from selflow.collect.redact import make_redactor
from selflow.collect.rooted import BrowserHistoryAt
from selflow.core.codec import decode_record
from selflow.core.events import Event
from selflow.core.settings import PrivacySettings
from tests.unit.collect.histories import CHROMIUM, FIREFOX, LINK, Browser

NOW_US = 1_767_225_600_000_000
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US


class Log:
    """Stores batches once, as the log does; ``faults`` lose that many answers."""

    def __init__(self) -> None:
        self.batches: dict[int, list[Event]] = {}
        self.lost_answers = 0
        self.refusals = 0

    def __call__(self, events: Sequence[Event], batch_id: int | None = None) -> bool:
        assert batch_id is not None
        if self.refusals:
            self.refusals -= 1
            return False
        self.batches.setdefault(batch_id, list(events))
        if self.lost_answers:
            self.lost_answers -= 1
            raise KeyboardInterrupt
        return True

    @property
    def events(self) -> list[Event]:
        return [event for batch in self.batches.values() for event in batch]

    @property
    def pages(self) -> list[str]:
        return [event.subject for event in self.events]


def _section(home: Path, consent_us: int = NOW_US, **options: Any) -> BrowserHistoryAt:
    return BrowserHistoryAt(
        type="browser_history",
        positions=str(home / "positions"),
        copies=str(home / "copies"),
        consent_us=consent_us,
        **options,
    )


def _look(home: Path, log: Log, **options: Any) -> list[int | str]:
    """One look by a process that begins."""
    return list(
        BrowserReader(_section(home, **options), home).read(log, NOW_US + DAY_US, is_last=False)
    )


@pytest.fixture(params=[FIREFOX, CHROMIUM])
def browser(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Browser]:
    running = Browser(tmp_path / request.param)
    yield running
    running.close()


def test_every_visit_of_a_running_browser_comes_once(browser: Browser, tmp_path: Path) -> None:
    log = Log()
    for number in range(150):
        browser.visit(f"https://a.example/{number}", NOW_US + number * SECOND_US, f"T{number}")
    _look(tmp_path, log)
    browser.visit("https://a.example/last", NOW_US + 200 * SECOND_US)
    _look(tmp_path, log)
    _look(tmp_path, log)

    assert log.pages == [f"https://a.example/{n}" for n in (*range(150), "last")]
    assert log.events[3].ts_us == NOW_US + 3 * SECOND_US
    assert log.events[3].data == {"via": "link", "title": "T3"}


def test_a_lost_answer_repeats_no_visit(browser: Browser, tmp_path: Path) -> None:
    log = Log()
    browser.visit("https://a.example/1", NOW_US)
    log.lost_answers = 1
    with pytest.raises(KeyboardInterrupt):
        _look(tmp_path, log)
    browser.visit("https://a.example/2", NOW_US + 1)
    _look(tmp_path, log)

    assert log.pages == ["https://a.example/1", "https://a.example/2"]


def test_a_refused_batch_is_offered_again(browser: Browser, tmp_path: Path) -> None:
    log = Log()
    browser.visit("https://a.example/1", NOW_US)
    log.refusals = 1
    reader = BrowserReader(_section(tmp_path), tmp_path)
    list(reader.read(log, NOW_US + DAY_US, is_last=False))
    before = log.pages
    list(reader.read(log, NOW_US + DAY_US, is_last=False))

    assert (before, log.pages) == ([], ["https://a.example/1"])


def test_a_number_that_is_given_again_is_a_new_visit(browser: Browser, tmp_path: Path) -> None:
    log = Log()
    for number in range(5):
        browser.visit(f"https://a.example/{number}", NOW_US + number)
    _look(tmp_path, log)
    browser.delete_from(3)
    for number in range(10, 14):
        browser.visit(f"https://a.example/{number}", NOW_US + number)
    _look(tmp_path, log)

    assert log.pages[5:] == [f"https://a.example/{n}" for n in range(10, 14)]


def test_a_cleared_history_goes_on_with_its_next_visit(browser: Browser, tmp_path: Path) -> None:
    log = Log()
    for number in range(5):
        browser.visit(f"https://a.example/{number}", NOW_US + number)
    _look(tmp_path, log)
    browser.delete_from(0)
    browser.visit("https://a.example/new", NOW_US + 100)
    _look(tmp_path, log)

    assert log.pages[5:] == ["https://a.example/new"]


def test_what_was_visited_before_the_consent_is_not_read(browser: Browser, tmp_path: Path) -> None:
    log = Log()
    browser.visit("https://before.example/", NOW_US - 1)
    browser.visit("https://after.example/", NOW_US)
    _look(tmp_path, log)

    assert log.pages == ["https://after.example/"]


def test_what_was_visited_while_the_consent_was_revoked_is_never_read(
    browser: Browser, tmp_path: Path
) -> None:
    log = Log()
    _look(tmp_path, log)
    browser.visit("https://between.example/", NOW_US + 1)
    browser.visit("https://after.example/", NOW_US + 10)
    _look(tmp_path, log, consent_us=NOW_US + 5, history_days=30)

    assert log.pages == ["https://after.example/"]


def test_older_days_are_taken_in_on_request(browser: Browser, tmp_path: Path) -> None:
    log = Log()
    browser.visit("https://old.example/", NOW_US - 9 * DAY_US)
    browser.visit("https://week.example/", NOW_US - 6 * DAY_US)
    _look(tmp_path, log, history_days=7)

    assert log.pages == ["https://week.example/"]


def test_excluded_hosts_and_titles_are_left_out(browser: Browser, tmp_path: Path) -> None:
    log = Log()
    browser.visit("https://my.bank.example/x", NOW_US, "Balance")
    browser.visit("https://news.example/", NOW_US, "News")
    _look(tmp_path, log, exclude_hosts=("*.BANK.example",), store_titles=False)

    assert log.pages == ["https://news.example/"]
    assert "title" not in log.events[0].data


@pytest.mark.parametrize(("place", "frame"), [(FIREFOX, 4), (FIREFOX, 8), (CHROMIUM, LINK | 3)])
def test_frames_are_no_visits(place: str, frame: int, tmp_path: Path) -> None:
    log, running = Log(), Browser(tmp_path / place)
    running.visit("https://ads.example/", NOW_US, how=frame)
    running.visit("https://page.example/", NOW_US)
    _look(tmp_path, log)
    running.close()

    assert log.pages == ["https://page.example/"]


def test_an_address_that_led_on_is_no_visit_in_chromium(tmp_path: Path) -> None:
    log, running = Log(), Browser(tmp_path / CHROMIUM)
    running.visit("https://t.example/short", NOW_US, how=0x10000000)
    running.close()
    _look(tmp_path, log)

    assert log.pages == []


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://u:pw@a.example/p?q=my+illness#part", "https://a.example/p"),
        ("http://A.example:8080/p", "http://a.example:8080/p"),
        ("http://[::1]/p", "http://[::1]/p"),
        ("file:///home/me/notes.txt", "file:///home/me/notes.txt"),
        ("data:text/html,secret", ""),
        ("chrome://settings/", ""),
        ("https://[broken", ""),
        ("https://a.example:port/", ""),
        ("", ""),
    ],
)
def test_queries_and_logins_are_never_stored(url: str, page: str) -> None:
    assert page_address(url) == page


@pytest.mark.parametrize(
    "content", [b"", b"no database at all" * 99, b"SQLite format 3\0" + b"\xff" * 9_000]
)
def test_a_damaged_history_is_refused_by_name_and_disturbs_no_other(
    content: bytes, tmp_path: Path
) -> None:
    log, running = Log(), Browser(tmp_path / CHROMIUM)
    running.visit("https://page.example/", NOW_US)
    running.close()
    damaged = tmp_path / FIREFOX
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(content)
    problems = [each for each in _look(tmp_path, log) if isinstance(each, str)]

    assert log.pages == ["https://page.example/"]
    assert len(problems) == 1
    assert problems[0].startswith(f"{damaged} is damaged or no history of firefox")
    assert damaged.read_bytes() == content


@pytest.mark.slow
def test_half_of_a_history_is_refused_by_name(browser: Browser, tmp_path: Path) -> None:
    for number in range(600):
        browser.visit(f"https://a.example/{number}", NOW_US)
    browser.close()
    content = browser.database.read_bytes()
    browser.database.write_bytes(content[: len(content) // 3])
    browser.database.with_name("places.sqlite-wal").unlink(missing_ok=True)

    assert any("is damaged" in str(each) for each in _look(tmp_path, Log()))


def test_the_copy_is_gone_afterwards(browser: Browser, tmp_path: Path) -> None:
    browser.visit("https://page.example/", NOW_US)
    _look(tmp_path, Log())

    assert list((tmp_path / "copies").iterdir()) == []


def test_an_unchanged_history_is_not_copied_again(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.visit("https://page.example/", NOW_US)
    reader = BrowserReader(_section(tmp_path), tmp_path)
    list(reader.read(Log(), NOW_US, is_last=False))
    monkeypatch.setattr("selflow.collect.browser.source.open_history", None)

    assert list(reader.read(Log(), NOW_US, is_last=False)) == []


def test_profiles_are_found_by_browser(tmp_path: Path) -> None:
    places = (
        ".mozilla/firefox/x.default/places.sqlite",
        "snap/firefox/common/.mozilla/firefox/y/places.sqlite",
        ".config/google-chrome/Profile 1/History",
        ".config/BraveSoftware/Brave-Browser/Default/History",
    )
    for place in places:
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).touch()
    found = {profile.browser: profile.database for profile in find_profiles(tmp_path)}

    assert sorted(found) == ["brave", "chrome", "firefox"]
    assert len(find_profiles(tmp_path)) == 4


def test_named_profiles_alone_are_read(tmp_path: Path) -> None:
    log = Log()
    for place in (FIREFOX, CHROMIUM):
        running = Browser(tmp_path / place)
        running.visit(f"https://{Path(place).name}.example/", NOW_US)
        running.close()
    _look(tmp_path, log, profiles=("~/.config/chromium/Default",))

    assert [(event.subject, event.app) for event in log.events] == [
        ("https://history.example/", "chromium")
    ]


def test_exclusions_and_redaction_hold_for_visits(browser: Browser, tmp_path: Path) -> None:
    log = Log()
    browser.visit("file:///home/me/private/a.txt", NOW_US)
    browser.visit("https://a.example/", NOW_US, "mail of ann@work.example")
    _look(tmp_path, log)
    sifted = EventFilter(
        make_redactor(PrivacySettings()), Exclusions(["/home/me/private"], [], "/home/me"), ""
    ).apply(log.events)
    stored = [decode_record(record) for record in sifted.records]

    assert sifted.dropped == 1
    assert "ann@" not in str(stored[0].data)


def test_a_damaged_position_is_named(browser: Browser, tmp_path: Path) -> None:
    browser.visit("https://a.example/", NOW_US)
    _look(tmp_path, Log())
    (position,) = (tmp_path / "positions").iterdir()
    position.write_text('{"row_id": "many"}')
    browser.visit("https://a.example/", NOW_US)

    assert any(f"{position} is damaged" in str(each) for each in _look(tmp_path, Log()))
