"""Moments and ends that a person names."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from selflow.core.clock import parse_ts_us, rfc3339
from selflow.core.errors import UsageError
from selflow.core.until import end_us, named_moment_us, pause_text

NOW_US = parse_ts_us("2026-03-28T22:30:00Z")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("15m", "2026-03-28T22:45"),
        (" 1h ", "2026-03-28T23:30"),
        ("2d", "2026-03-30T22:30"),
        ("tomorrow", "2026-03-29T00:00"),
        ("2026-04-01", "2026-04-01T00:00"),
    ],
)
def test_a_duration_a_day_and_a_date_name_an_end(text: str, end: str) -> None:
    assert rfc3339(end_us(text, NOW_US, UTC)).startswith(end)


def test_tomorrow_is_midnight_of_the_owners_clock_in_summer_too() -> None:
    assert rfc3339(end_us("tomorrow", NOW_US, BERLIN)).startswith("2026-03-28T23:00")
    a_day_later_us = NOW_US + 86_400_000_000
    assert rfc3339(end_us("tomorrow", a_day_later_us, BERLIN)).startswith("2026-03-30T22:00")


@pytest.mark.parametrize("text", ["", "soon", "-5m", "5 m", "1e3h", "\x1b[31m"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="invalid end") as caught:
        end_us(text, NOW_US, UTC)

    assert "90m, 12h or 30d" in caught.value.hint
    assert str(caught.value).isprintable()


def test_a_pause_says_its_end_with_the_date_only_on_another_day() -> None:
    soon, later = rfc3339(NOW_US + 60_000_000), rfc3339(NOW_US + 5 * 86_400_000_000)

    assert len(pause_text(soon, NOW_US)) == len("paused until 14:00")
    assert pause_text(later, NOW_US).startswith("paused until 2026-04-0")
    assert pause_text(None, NOW_US) == "paused until you resume"


def test_an_answer_does_not_repeat_what_was_no_moment_and_a_terminal_does() -> None:
    with pytest.raises(UsageError, match=r"^invalid since$") as answered:
        named_moment_us("since", "soon", 0)
    with pytest.raises(UsageError, match=r"^invalid --since: soon$"):
        named_moment_us("--since", "soon", 0, repeats_value=True)

    assert "2026-01-31" in answered.value.hint
    assert named_moment_us("since", None, 7) == 7
