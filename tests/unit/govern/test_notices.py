"""When a notice alerts."""

import pytest

from selflow.govern.notices import (
    LAST_NOTICES,
    MIN_NOTICES,
    ActedShare,
    AlertLimits,
    PastNotice,
    acted_shares,
    silence_of,
)

NIGHT = (22 * 60, 7 * 60)
LIMITS = AlertLimits(3, NIGHT, frozenset({"disk.full"}))
NOON = 12 * 60


def past(acted: int, ignored: int, *, is_demoted: bool = False) -> list[PastNotice]:
    """Notices of one kind, those that were acted on first."""
    flags = [True] * acted + [False] * ignored
    return [
        PastNotice("pattern.new", at, not is_demoted, is_demoted, flag)
        for at, flag in enumerate(flags)
    ]


@pytest.mark.parametrize(
    ("kind", "minute", "alerts", "silence"),
    [
        ("pattern.new", NOON, 0, ""),
        ("pattern.new", NOON, 2, ""),
        ("pattern.new", NOON, 3, "limit"),
        ("pattern.new", 23 * 60, 0, "quiet_hours"),
        ("pattern.new", 6 * 60 + 59, 0, "quiet_hours"),
        ("pattern.new", 7 * 60, 0, ""),
        ("disk.full", NOON, 0, "muted"),
    ],
)
def test_limit_quiet_hours_and_muting_silence_a_notice(
    kind: str, minute: int, alerts: int, silence: str
) -> None:
    assert silence_of(kind, minute, alerts, {}, LIMITS) == silence


@pytest.mark.parametrize(
    ("minutes", "minute", "is_quiet"),
    [((60, 120), 60, True), ((60, 120), 120, False), (None, 0, False), ((5, 5), 5, False)],
)
def test_quiet_hours_begin_and_end_on_their_minute(
    minutes: tuple[int, int] | None,
    minute: int,
    is_quiet: bool,  # noqa: FBT001
) -> None:
    assert AlertLimits(3, minutes, frozenset()).is_quiet(minute) == is_quiet


def test_a_kind_that_is_rarely_acted_on_demotes_itself() -> None:
    shares = acted_shares(past(2, MIN_NOTICES - 2))

    assert shares["pattern.new"] == ActedShare(2, MIN_NOTICES)
    assert silence_of("pattern.new", NOON, 0, shares, LIMITS) == "demoted"


def test_three_of_ten_are_enough_and_fewer_than_ten_say_nothing() -> None:
    for notices in (past(3, 7), past(0, MIN_NOTICES - 1)):
        assert silence_of("pattern.new", NOON, 0, acted_shares(notices), LIMITS) == ""
    assert acted_shares(past(0, MIN_NOTICES - 1))["pattern.new"].fraction is None


def test_only_the_last_ones_count_and_acting_on_a_demoted_one_brings_it_back() -> None:
    old = past(0, 30)
    newer = [
        PastNotice("pattern.new", 100 + at, is_alert=False, is_demoted=True, is_acted=True)
        for at in range(6)
    ]

    assert acted_shares(old)["pattern.new"].notices == LAST_NOTICES
    assert not acted_shares([*old, *newer])["pattern.new"].is_demoted


def test_what_never_alerted_for_another_reason_does_not_count() -> None:
    quiet = [PastNotice("pattern.new", 1, is_alert=False, is_demoted=False, is_acted=False)]

    assert acted_shares(quiet) == {}
