"""Answers with what was said of them: the same documents for the API and the command line."""

from typing import Any

from selflow.store.reading import CatalogReader
from selflow.store.records import Decision, Feedback
from selflow.store.row import document
from selflow.store.row_listing import newest_page

_SHOWN = ("id", "metric", "value", "tags", "at")


def decisions_page(reader: CatalogReader, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """The newest decisions, each with the ``feedback`` that stands: of each metric the last.

    Raises:
        UsageError: It is not a cursor of ours.
    """
    page = newest_page(reader, Decision, limit, cursor)
    said: dict[str, list[dict[str, Any]]] = {item["id"]: [] for item in page["items"]}
    for feedback in reader.learned(Feedback, decision_id=list(said)) if said else ():
        if not feedback.is_superseded:
            shown = document(feedback)
            said[feedback.decision_id].append({name: shown[name] for name in _SHOWN})
    items = [{**item, "feedback": said[item["id"]]} for item in page["items"]]
    return {**page, "items": items}
