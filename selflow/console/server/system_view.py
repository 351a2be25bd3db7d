"""The state of the system with the conditions of the next learning cycle."""

from selflow.console.server.read_model import ReadModel
from selflow.console.server.wire import SystemAnswer
from selflow.search.rollups import DAY_US, HOUR_US


def system_document(model: ReadModel) -> SystemAnswer:
    """Everything of ``selflow status``, and how many events came lately."""
    status, now_us = model.status(), model.clock.now_us()
    index = model.index
    return SystemAnswer(
        **status,
        last_hour_events=index.events_between(now_us - HOUR_US, now_us + 1),
        last_day_events=index.events_between(now_us - DAY_US, now_us + 1),
    )
