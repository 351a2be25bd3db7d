"""Settings of what SelFlow shows and tells beside its page (``selflow.core.settings``)."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from selflow.core.notice_kinds import NoticeKind
from selflow.core.section import Section

_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class TraySettings(Section):
    """The icon in the desktop's tray."""

    emoji: Literal["auto", "on", "off"] = "auto"
    """Emoji before the entries of the menu; ``auto``: where the desktop draws them, not on
    Windows.
    """


class NotificationSettings(Section):
    """What SelFlow tells by itself: at most so much a day, never at night, never what was muted."""

    per_day: Annotated[int, Field(ge=0, le=100)] = 3
    """Notices that may alert on one of the owner's days; the others are only listed."""
    quiet_hours: str = "22:00-07:00"
    """When none alerts, on the owner's clock, as ``HH:MM-HH:MM``; empty: never quiet."""
    muted: tuple[NoticeKind, ...] = ()
    """Types that never alert."""
    desktop: bool = True
    """Whether ``selflow tray`` also shows them on the desktop."""

    @field_validator("quiet_hours")
    @classmethod
    def _is_a_span(cls, text: str) -> str:
        if text and not _QUIET.fullmatch(text):
            raise ValueError("quiet hours are written as HH:MM-HH:MM, or empty")
        return text

    @property
    def quiet_minutes(self) -> tuple[int, int] | None:
        """First and last minute of the day, the last one not included; None: never quiet."""
        if not (match := _QUIET.fullmatch(self.quiet_hours)):
            return None
        first_h, first_m, last_h, last_m = map(int, match.groups())
        return first_h * 60 + first_m, last_h * 60 + last_m
