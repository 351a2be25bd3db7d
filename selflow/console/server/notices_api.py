"""``/api/notices``: what SelFlow told by itself, and whether its owner acted on it."""

from typing import Annotated, Literal

from fastapi import Path, Request

from selflow.console.notice_listing import notices_document
from selflow.console.server.notifier import mark
from selflow.console.server.paging import Limit
from selflow.console.server.read_model import Model
from selflow.console.server.routes import Routes, actor_of
from selflow.core.errors import ApiError
from selflow.core.notice_kinds import NoticeKind, Silence
from selflow.sdk.wire import Answer
from selflow.store.notice_records import Notice
from selflow.store.notice_view import is_unread, notice_item

Name = Annotated[str, Path(max_length=200)]
routes = Routes()


class NoticeItem(Answer):
    """One notice; ``silence`` says why it did not alert, ``path`` is the page that it leads to."""

    id: str
    kind: NoticeKind
    subject: str
    silence: Silence
    at: str
    read_at: str | None
    acted_at: str | None
    text: str
    path: str


class NoticeKindItem(Answer):
    """A type: of its last ``notices`` the owner acted on ``acted``; the share is null while there
    are fewer than ten. A demoted one is listed and does not alert.
    """

    kind: NoticeKind
    notices: int
    acted: int
    acted_fraction: float | None
    is_demoted: bool
    is_muted: bool


class NoticesAnswer(Answer):
    """``GET /api/notices``: newest first; ``unread`` counts those that alert still."""

    items: list[NoticeItem]
    unread: int
    kinds: list[NoticeKindItem]
    next: None


@routes.get("/api/notices", "view")
def notices(model: Model, limit: Limit = 50) -> NoticesAnswer:
    """What SelFlow told by itself."""
    known = model.catalog.learned(Notice)
    muted = model.settings().notifications.muted
    return NoticesAnswer(**notices_document(known, reversed(known[-limit:]), muted))


@routes.change("POST", "/api/notices/read", "operate")
def read_all(request: Request, model: Model) -> NoticesAnswer:
    """Nothing alerts any more that was told until now."""
    known = [one for one in model.catalog.learned(Notice) if is_unread(one)]
    mark(model, known, actor_of(request), is_acted=False)
    return notices(model)


@routes.change("POST", "/api/notices/{notice_id}/{act}", "operate")
def change_notice(
    notice_id: Name, act: Literal["read", "acted"], request: Request, model: Model
) -> NoticeItem:
    """``read``: it alerts no more. ``acted``: it was followed; counted and audited."""
    known = model.catalog.learned(Notice, id=notice_id)
    if not known:
        raise ApiError(404, "notice_not_found", "there is no such notice", "GET /api/notices")
    (marked,) = mark(model, known, actor_of(request), is_acted=act == "acted")
    return NoticeItem(**notice_item(marked))
