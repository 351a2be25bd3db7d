"""What SelFlow told its owner by itself, and what became of it."""

from dataclasses import dataclass

from selflow.core.notice_kinds import NoticeKind, Silence
from selflow.store.row import Row


@dataclass(frozen=True, slots=True)
class Notice(Row):
    """One notice; the console alone writes them. ``subject`` is the id of what it is about, never
    content of an event; ``id`` follows from kind and subject, so that nothing is told twice.
    ``silence`` says why it did not alert, empty if it did.
    """

    table = "notices"
    order = ("at_us",)
    id: str
    kind: NoticeKind
    subject: str
    silence: Silence
    at_us: int
    read_at_us: int | None = None
    acted_at_us: int | None = None
