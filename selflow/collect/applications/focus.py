"""From looks at the foreground window to events: how long each window was in front, and idle times.

Pure: windows and moments in, events out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from selflow.core.events import Event, Json

_MAX_GAP_US = 15_000_000
"""Between two looks; longer, and the machine slept in between."""
_MAX_TITLE_CHARACTERS = 300
_PRIVATE = ("private browsing", "incognito", "inprivate", "private window", "privater modus")
_PRIVATE_WORDS = (*_PRIVATE, "privates fenster", "navigation privée", "navegación privada")


@dataclass(frozen=True, slots=True)
class Window:
    """What is in front."""

    app: str
    title: str


@dataclass(frozen=True, slots=True)
class FocusRules:
    """What is told of a window, and when."""

    idle_after_s: float
    report_interval_s: float
    """A window that stays in front is told at least this often."""
    store_titles: bool
    exclude_titles: Sequence[str] = ()

    def shown(self, window: Window) -> Window | None:
        """The window as it may be told; None if it may not.

        Of a browser's private window only the browser is told.
        """
        title = window.title.lower()
        if any(fnmatchcase(title, glob.lower()) for glob in self.exclude_titles):
            return None
        if not self.store_titles or any(mark in title for mark in _PRIVATE_WORDS):
            return Window(window.app, "")
        return Window(window.app, window.title[:_MAX_TITLE_CHARACTERS])


class FocusTracker:
    """Makes ``app.focus`` and ``app.idle`` events, each told once it has ended.

    Args:
        rules: What is told, and when.
    """

    def __init__(self, rules: FocusRules) -> None:
        self._rules = rules
        self._window: Window | None = None
        self._since_us = 0
        self._seen_us = 0
        self._idle_since_us = 0

    def look(self, now_us: int, window: Window | None, idle_s: float) -> list[Event]:
        """Take one look.

        Args:
            now_us: When.
            window: What is in front; None if nothing is, or it cannot be told.
            idle_s: Since when nobody has touched the machine.

        Returns:
            What has ended since the last look.
        """
        shown = self._rules.shown(window) if window else None
        is_gap = not 0 <= now_us - self._seen_us <= _MAX_GAP_US
        ended = self.end() if is_gap else []
        self._seen_us = now_us
        touched_us = now_us - round(idle_s * 1e6)
        if idle_s >= self._rules.idle_after_s:
            ended += self._close(touched_us)
            self._idle_since_us = self._idle_since_us or touched_us
            return ended
        ended += self._close_idle(touched_us)
        is_long = now_us - self._since_us >= self._rules.report_interval_s * 1e6
        if shown != self._window or is_long:
            ended += self._close(now_us)
            self._window, self._since_us = shown, now_us
        return ended

    def end(self) -> list[Event]:
        """What had not ended at the last look."""
        ended = [*self._close_idle(self._seen_us), *self._close(self._seen_us)]
        self._window = None
        return ended

    def _close(self, until_us: int) -> list[Event]:
        window, self._window = self._window, None
        if window is None or until_us <= self._since_us:
            return []
        duration_s = (until_us - self._since_us) / 1e6
        data: dict[str, Json] = {"title": window.title} if window.title else {}
        return [
            Event(self._since_us, "apps", "app.focus", window.app, window.app, duration_s, data)
        ]

    def _close_idle(self, until_us: int) -> list[Event]:
        since_us, self._idle_since_us = self._idle_since_us, 0
        if not since_us or until_us <= since_us:
            return []
        return [Event(since_us, "apps", "app.idle", duration_s=(until_us - since_us) / 1e6)]
