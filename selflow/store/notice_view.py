"""Notices as the command line and the console show them: the same document for both. No SQLAlchemy
may be imported here.
"""

from collections.abc import Mapping
from typing import Any

from selflow.store.notice_records import Notice
from selflow.store.row import document

TEXTS: Mapping[str, str] = {
    "pattern.new": "A new pattern was found that may have an agent.",
    "agent.promoted": "An agent passed its verdict and serves.",
    "agent.rolled_back": "An agent was taken out of service.",
    "learning.stalled": "Learning does not go on.",
    "disk.full": "The disk is full: nothing more can be stored.",
    "permission.asked": "A source waits for your permission.",
}
"""By kind; nothing of an event, since it may stand on a locked screen."""
PATHS: Mapping[str, str] = {
    "pattern.new": "/patterns",
    "agent.promoted": "/agents",
    "agent.rolled_back": "/agents",
    "learning.stalled": "/training",
    "disk.full": "/",
    "permission.asked": "/privacy",
}
"""The page that a notice leads to."""


def notice_item(notice: Notice) -> dict[str, Any]:
    """In the API's shape."""
    return {**document(notice), "text": TEXTS[notice.kind], "path": PATHS[notice.kind]}


def is_unread(notice: Notice) -> bool:
    """Whether it alerts still."""
    return not notice.silence and notice.read_at_us is None
