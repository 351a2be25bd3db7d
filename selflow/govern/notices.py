"""When a notice alerts: so many a day, not in quiet hours, not what was muted, and not what its
owner rarely acts on.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from selflow.core.notice_kinds import Silence

MIN_NOTICES = 10
"""Fewer of one kind say nothing about whether its owner acts on it."""
LAST_NOTICES = 20
"""Of one kind that count, so that a habit of long ago does not."""
LEAST_ACTED_FRACTION = 0.3


@dataclass(frozen=True, slots=True)
class PastNotice:
    """What is known of an earlier one; ``is_alert`` if it alerted."""

    kind: str
    at_us: int
    is_alert: bool
    is_demoted: bool
    is_acted: bool


@dataclass(frozen=True, slots=True)
class ActedShare:
    """Of the last notices of a kind that alerted, or would have but for being demoted, how many
    were acted on.
    """

    acted: int
    notices: int

    @property
    def fraction(self) -> float | None:
        """None while there are too few."""
        return self.acted / self.notices if self.notices >= MIN_NOTICES else None

    @property
    def is_demoted(self) -> bool:
        """Whether its owner acts on too few of them."""
        return self.fraction is not None and self.fraction < LEAST_ACTED_FRACTION


@dataclass(frozen=True, slots=True)
class AlertLimits:
    """The owner's settings; ``quiet_minutes`` are the first and the last minute of the day, the
    last one not included, on the owner's clock.
    """

    per_day: int
    quiet_minutes: tuple[int, int] | None
    muted: frozenset[str]

    def is_quiet(self, minute: int) -> bool:
        """Whether a minute of the day is in the quiet hours, which may span midnight."""
        if self.quiet_minutes is None:
            return False
        first, last = self.quiet_minutes
        if first <= last:
            return first <= minute < last
        return minute >= first or minute < last


def acted_shares(past: Iterable[PastNotice]) -> dict[str, ActedShare]:
    """By kind; ``past`` in any order.

    Acting on a demoted one counts, so that a kind comes back when its owner wants it.
    """
    by_kind: dict[str, list[PastNotice]] = {}
    for notice in sorted(past, key=lambda one: -one.at_us):
        if notice.is_alert or notice.is_demoted:
            by_kind.setdefault(notice.kind, []).append(notice)
    return {
        kind: ActedShare(sum(n.is_acted for n in newest), len(newest))
        for kind, notices in by_kind.items()
        for newest in [notices[:LAST_NOTICES]]
    }


def silence_of(
    kind: str,
    minute: int,
    alerts_today: int,
    shares: Mapping[str, ActedShare],
    limits: AlertLimits,
) -> Silence:
    """Why a new notice does not alert; empty if it does."""
    if kind in limits.muted:
        return "muted"
    if kind in shares and shares[kind].is_demoted:
        return "demoted"
    if limits.is_quiet(minute):
        return "quiet_hours"
    return "limit" if alerts_today >= limits.per_day else ""
