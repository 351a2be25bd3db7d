"""The state of the system with the conditions of the next learning cycle."""

from typing import Any

from selflow.console.server.read_model import ReadModel
from selflow.console.server.wire import Condition, NextLearning, SystemAnswer
from selflow.core.clock import rfc3339
from selflow.core.events import Fill
from selflow.core.settings import BufferSettings
from selflow.search.rollups import DAY_US, HOUR_US, Diversity

_RATE_DAYS = 7
_UNITS = {"events": "events", "bytes": "bytes", "labels": "different labels", "days": "days"}


def system_document(model: ReadModel) -> SystemAnswer:
    """Everything of ``selflow status``, and what the next cycle waits for."""
    status, settings, now_us = model.status(), model.settings(), model.clock.now_us()
    has_drifted = any(change["kind"] == "drift" for change in status["behaviour"])
    fill, index = model.fill(), model.index
    met = conditions(fill, index.diversity(), settings.buffer, has_drifted=has_drifted)
    recent = index.events_between(now_us - _RATE_DAYS * DAY_US, now_us)
    per_us = recent / (_RATE_DAYS * DAY_US)
    return SystemAnswer(
        **status,
        conditions=met,
        next_learning=next_learning(
            status, met, per_us, now_us, is_automatic=settings.learning.automatic
        ),
        last_hour_events=index.events_between(now_us - HOUR_US, now_us + 1),
        last_day_events=index.events_between(now_us - DAY_US, now_us + 1),
    )


def conditions(
    fill: Fill | None, diversity: Diversity, limits: BufferSettings, *, has_drifted: bool
) -> list[Condition]:
    """What a cycle that nobody asks for needs, and how much of it is there
    (``selflow.discover.trigger``).
    """
    new_events, size_bytes = (fill.new_events, fill.size_bytes) if fill else (0, 0)
    trigger_bytes = limits.trigger_fraction * limits.budget_bytes
    is_by_size = size_bytes / trigger_bytes > new_events / limits.trigger_events
    size = (size_bytes, trigger_bytes) if is_by_size else (new_events, limits.trigger_events)
    return [
        Condition(
            name="size",
            is_met=has_drifted or size[0] >= size[1],
            value=size[0],
            needed=size[1],
            unit="bytes" if is_by_size else "events",
        ),
        Condition(
            name="diversity",
            is_met=diversity.labels >= limits.min_templates,
            value=diversity.labels,
            needed=limits.min_templates,
            unit="labels",
        ),
        Condition(
            name="days",
            is_met=diversity.days >= limits.min_days,
            value=diversity.days,
            needed=limits.min_days,
            unit="days",
        ),
    ]


def next_learning(
    status: dict[str, Any],
    met: list[Condition],
    events_per_us: float,
    now_us: int,
    *,
    is_automatic: bool,
) -> NextLearning:
    """When, if that can be told, and what it waits for."""
    cycle = status["cycle"]
    if cycle is not None and cycle["state"] in {"requested", "running"}:
        what = f"runs: {cycle['stage']}" if cycle["stage"] else "is requested"
        return NextLearning(at=None, reason=f"{cycle['id']} {what}")
    if status["state"] == "not running":
        return NextLearning(at=None, reason="SelFlow is not running; start it with: selflow up")
    if not is_automatic:
        return NextLearning(at=None, reason="only when asked: learning.automatic is off")
    missing = [condition for condition in met if not condition.is_met]
    if not missing:
        return NextLearning(at=rfc3339(now_us), reason="all conditions hold")
    named = ", ".join(
        f"{item.value:,.0f} of {item.needed:,.0f} {_UNITS[item.unit]}" for item in missing
    )
    (first, *others) = missing
    at = None
    if not others and first.unit == "events" and events_per_us > 0:
        at = rfc3339(now_us + round((first.needed - first.value) / events_per_us))
    return NextLearning(at=at, reason=f"waits for more: {named}")
