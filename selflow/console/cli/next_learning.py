"""When the next learning cycle begins, in the words of ``selflow status`` and of the page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from selflow.core.clock import SystemClock, rfc3339
from selflow.core.events import Fill
from selflow.core.invocation import Invocation
from selflow.core.trigger_limits import TriggerLimits
from selflow.core.until import pause_text
from selflow.discover.next_cycle import (
    DAY_HOURS,
    HISTORY_DAYS,
    Condition,
    Known,
    Wait,
    conditions,
    missing_of,
    wait_of,
)

if TYPE_CHECKING:
    from selflow.search.shared import SharedIndex

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


@dataclass(frozen=True, slots=True)
class LearningAhead:
    """What is asked for it: the console's index, which holds the hours, and the limits where no
    session has ever written them down.
    """

    index: "SharedIndex | None"
    read_limits: Callable[[], TriggerLimits]

    @classmethod
    def of(cls, call: Invocation) -> Self:
        """For one call of the command line. Without an index nothing is said of the hours."""
        from selflow.search.index import file_of
        from selflow.search.shared import SharedIndex

        is_there = file_of(call.root.derived).exists()
        index = SharedIndex(call.root.derived, SystemClock()) if is_there else None
        return cls(index, lambda: TriggerLimits.of(call.settings().settings))

    def document(
        self,
        known_limits: TriggerLimits | None,
        fill: Fill | None,
        now_us: int,
        *,
        state: str,
        pause: Mapping[str, Any] | None,
        cycle: Mapping[str, Any] | None,
        behaviour: Sequence[Mapping[str, Any]],
    ) -> dict[str, Any]:
        """``conditions`` and ``next_learning``."""
        limits = known_limits
        if limits is None and self.index is not None:
            limits = self.read_limits()
        is_automatic = limits is None or limits.is_automatic
        reason = _hindrance(state, cycle, is_automatic=is_automatic)
        if reason is None and pause is not None:
            reason = f"collection is {pause_text(pause['until'], now_us)}"
        if self.index is None or limits is None:
            unknown = "waits for the console to count the log"
            return {"conditions": [], "next_learning": _never(reason or unknown)}
        known = _known(self.index, fill, now_us)
        has_drifted = any(change["kind"] == "drift" for change in behaviour)
        met = conditions(known, limits, has_drifted=has_drifted)
        return {
            "conditions": [asdict(condition) for condition in met],
            "next_learning": _waiting(met, known, now_us) if reason is None else _never(reason),
        }


def _known(index: "SharedIndex", fill: Fill | None, now_us: int) -> Known:
    from selflow.search.rollups import hourly

    diversity = index.diversity()
    with index.reading() as connection:
        hours = hourly(connection, now_us, HISTORY_DAYS * DAY_HOURS)
    return Known(fill, diversity.labels, diversity.days, hours)


def _hindrance(state: str, cycle: Mapping[str, Any] | None, *, is_automatic: bool) -> str | None:
    """Why none begins by itself, whatever comes in."""
    if cycle is not None and cycle["state"] in {"requested", "running"}:
        return f"{cycle['id']} {'runs: ' + cycle['stage'] if cycle['stage'] else 'is requested'}"
    if state == "not running":
        return "SelFlow is not running; start it with: selflow up"
    return None if is_automatic else "only when asked: learning.automatic is off"


def _waiting(met: Sequence[Condition], known: Known, now_us: int) -> dict[str, Any]:
    named, missing = missing_of(met)
    if not missing:
        reason = "all conditions hold"
        return {**_never(reason), "at": rfc3339(now_us)}
    wait, reason = wait_of(missing, known), f"waits for more: {named}"
    if wait is None:
        return _never(reason)
    moments = {
        name: rfc3339(now_us + round(seconds * 1e6))
        for name, seconds in (
            ("at", wait.median_s),
            ("low_at", wait.low_s),
            ("high_at", wait.high_s),
        )
    }
    return {**moments, "reason": reason, "text": _text(wait, reason)}


def _text(wait: Wait, reason: str) -> str:
    low, high = span(wait.low_s), span(wait.high_s)
    return f"in about {span(wait.median_s)} (80% of cases: {low} to {high}); {reason}"


def _never(reason: str) -> dict[str, Any]:
    """At no moment that is known."""
    return {"at": None, "low_at": None, "high_at": None, "reason": reason, "text": reason}


def span(seconds: float) -> str:
    """``2 h 15 min``, ``3 d 4 h`` or ``12 min``."""
    minutes = max(1, round(seconds / _MINUTE_S))
    if seconds >= 2 * _DAY_S:
        hours = round(seconds / _HOUR_S)
        return f"{hours // 24} d {hours % 24} h"
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
