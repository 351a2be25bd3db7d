"""Whether Ray Serve is ill or only busy: the supervisor's rule for it, without Ray and without a
clock.

Serve restarts its own parts: a killed proxy or replica, and one that has not answered Serve's own
checks for a minute. Ending all of it because one answer is late would only add to the load, so it
is deployed again only when no sign of life was seen for ``PATIENCE_S``.
"""

from dataclasses import dataclass
from typing import Literal

from selflow.core.health import State

PATIENCE_S = 30.0
"""Serve has its proxy or replica back in less; a redeployment takes about ten seconds more."""
_BUSY = frozenset({408, 429})

Reply = int | Literal["refused", "late"]
"""An HTTP status of the health route; nobody listens; or somebody listens and does not answer."""


@dataclass(slots=True)
class ServingWatch:
    """What is remembered of Serve between two checks."""

    patience_s: float = PATIENCE_S
    seen_s: float | None = None
    """When the last sign of life was seen; None before the first."""
    is_expected: bool = False
    """It was deployed and has not answered yet."""
    reason: str = ""
    """Why it is not well; empty if it is."""

    def observe(
        self, reply: Reply, now_s: float, *, has_replica: bool
    ) -> State | Literal["absent", "silent"]:
        """Decide after one check.

        Args:
            reply: What the health route said.
            now_s: Monotonic seconds.
            has_replica: Whether the replica's process lives.

        Returns:
            The state to show; ``absent`` if it is to be deployed for the first time, ``silent`` if
            again.
        """
        if reply == 200:
            self.seen_s, self.is_expected, self.reason = now_s, False, ""
            return "ok"
        if reply in _BUSY or (reply == "late" and has_replica):
            self.seen_s, self.reason = now_s, "busy: the health check was not answered in time"
            return "degraded"
        if has_replica and (self.seen_s is None or isinstance(reply, int)):
            self.seen_s, self.reason = now_s, "it is starting"
            return "starting"
        if self.seen_s is None:
            return "absent"
        away_s = now_s - self.seen_s
        self.reason = f"unavailable for {away_s:.0f} s; Serve restarts its own parts"
        if away_s >= self.patience_s:
            return "silent"
        return "starting" if self.is_expected else "degraded"

    def forget(self) -> None:
        """It is to be deployed: what was seen before says nothing of that."""
        self.seen_s, self.is_expected, self.reason = None, False, ""

    def expect(self, now_s: float) -> None:
        """It was deployed: its parts are started one after another."""
        self.seen_s, self.is_expected = now_s, True
