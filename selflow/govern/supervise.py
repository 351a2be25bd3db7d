"""When to keep, make or replace a service: the supervisor's rule, without Ray and without a
clock.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from selflow.core.health import Health

Seen = Health | Literal["absent", "dead", "silent"]
"""What one check found: an answer, no such service, a service known to be dead, or no answer in
time.
"""
Action = Literal["keep", "create", "replace", "retire"]
"""``replace`` kills first; ``retire`` lets a healthy service of an older version or settings end
gracefully.
"""

FIRST_BACKOFF_S = 1.0
LAST_BACKOFF_S = 60.0
DEATHS_TO_DEGRADE = 5
DEATH_WINDOW_S = 600.0


@dataclass(slots=True)
class Watch:
    """What the supervisor remembers of one service."""

    version: str
    config_hash: str
    misses_allowed: int
    misses: int = 0
    restarts: int = 0
    was_seen: bool = False
    not_before_s: float = 0.0
    backoff_s: float = FIRST_BACKOFF_S
    deaths_s: deque[float] = field(default_factory=deque)

    def observe(self, seen: Seen, now_s: float) -> Action:
        """Decide after one check.

        Args:
            seen: What the check found; who says of itself that it is ``dead`` has lost a thread.
            now_s: Monotonic seconds.

        Returns:
            ``keep`` also while a back-off runs (1, 2, 4 ... 60 s after deaths that follow each
            other) and while fewer than ``misses_allowed`` checks in a row went unanswered.
        """
        if isinstance(seen, Health) and seen.state != "dead":
            return self._alive(seen, now_s)
        if seen == "silent":
            self.misses += 1
            if self.misses < self.misses_allowed:
                return "keep"
        if now_s < self.not_before_s:
            return "keep"
        return self._again(seen, now_s)

    def is_degraded(self, now_s: float) -> bool:
        """Whether the service died so often lately that it is given up on between long pauses."""
        self._forget(now_s)
        return len(self.deaths_s) >= DEATHS_TO_DEGRADE

    def _alive(self, health: Health, now_s: float) -> Action:
        self.misses = 0
        self.was_seen = True
        self._forget(now_s)
        if not self.deaths_s:
            self.backoff_s = FIRST_BACKOFF_S
        is_current = (health.version, health.config_hash) == (self.version, self.config_hash)
        return "keep" if is_current else "retire"

    def _again(self, seen: Seen, now_s: float) -> Action:
        first_time = seen == "absent" and not self.was_seen and not self.deaths_s
        self.misses = 0
        if not first_time:
            self.restarts += 1
            self.deaths_s.append(now_s)
        self.not_before_s = now_s + (LAST_BACKOFF_S if self.is_degraded(now_s) else self.backoff_s)
        self.backoff_s = min(self.backoff_s * 2, LAST_BACKOFF_S)
        return "create" if seen == "absent" else "replace"

    def _forget(self, now_s: float) -> None:
        while self.deaths_s and now_s - self.deaths_s[0] > DEATH_WINDOW_S:
            self.deaths_s.popleft()
