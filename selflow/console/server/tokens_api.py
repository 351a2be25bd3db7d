"""``/api/tokens``: tokens of programs and sessions of browsers; listed, made, revoked."""

from dataclasses import replace
from typing import Annotated

from fastapi import Path, Request
from pydantic import Field

from selflow.console.server.read_model import Model
from selflow.console.server.routes import Routes, actor_of
from selflow.core.errors import ApiError
from selflow.core.grants import Grant, Scope
from selflow.core.until import end_us
from selflow.sdk.wire import Answer
from selflow.sdk.wire import Request as Body
from selflow.store.records import Token
from selflow.store.row_writer import writing
from selflow.store.token_check import OWNER_LABEL, SESSION_LABEL, checked_token, token_item
from selflow.web.guard import GRANT

Name = Annotated[str, Field(min_length=1, max_length=100)]
routes = Routes()


class TokenItem(Answer):
    """A token without its secret. ``is_session``: it stands in a browser's cookie; ``is_current``:
    in that of the browser that asks. The owner's own is made anew by each ``selflow up``.
    """

    id: str
    label: str
    scope: Scope
    only: list[str]
    sources: list[str]
    created_at: str
    expires_at: str | None
    state: str
    is_session: bool
    is_current: bool
    is_owner: bool


class TokensAnswer(Answer):
    """``GET /api/tokens``: those that are valid, oldest first."""

    items: list[TokenItem]


class TokenRequest(Body):
    """``POST /api/tokens``: ``expires`` is a duration (``30d``) or a date."""

    label: Annotated[str, Field(max_length=200)] = ""
    scope: Scope
    only: Annotated[list[Name], Field(max_length=20, default_factory=list)]
    sources: Annotated[list[Name], Field(max_length=100, default_factory=list)]
    expires: Annotated[str, Field(max_length=60)] | None = None


class NewTokenAnswer(Answer):
    """The token itself, which is shown this once, and its item."""

    token: str
    item: TokenItem


@routes.get("/api/tokens", "admin")
def tokens(request: Request, model: Model) -> TokensAnswer:
    """Tokens of programs and sessions of browsers that are valid."""
    items = [_item(token, request, model) for token in model.catalog.learned(Token)]
    return TokensAnswer(items=[item for item in items if item.state == "valid"])


@routes.change("POST", "/api/tokens", "admin", status=201)
def create_token(body: TokenRequest, request: Request, model: Model) -> NewTokenAnswer:
    """Make a token for a program; SelFlow keeps its hash alone."""
    now_us = model.clock.now_us()
    secret, token = checked_token(
        body.scope,
        body.label,
        now_us,
        only=body.only,
        sources=body.sources,
        expires_at_us=None if body.expires is None else end_us(body.expires, now_us),
    )
    with writing(model.location) as rows:
        rows.insert(token)
        details = {"scope": token.scope, "label": token.label}
        rows.audit(now_us, actor_of(request), "token.create", token.id, details)
    return NewTokenAnswer(token=secret, item=_item(token, request, model))


@routes.change("DELETE", "/api/tokens/{token_id}", "admin", status=204)
def revoke_token(
    token_id: Annotated[str, Path(max_length=100)], request: Request, model: Model
) -> None:
    """Revoke a token or a browser's session; a listener refuses it within two seconds."""
    for token in model.catalog.learned(Token, id=token_id):
        if token.label == OWNER_LABEL:
            detail = "the owner's own token cannot be revoked"
            raise ApiError(403, "refused_by_policy", detail, "selflow up makes it anew")
        if token.revoked_at_us is not None:
            raise ApiError(409, "conflict", "the token is revoked already")
        now_us = model.clock.now_us()
        with writing(model.location) as rows:
            rows.update(replace(token, revoked_at_us=now_us))
            rows.audit(now_us, actor_of(request), "token.revoke", token.id)
        return
    raise ApiError(404, "token_not_found", "there is no such token", "GET /api/tokens")


def _item(token: Token, request: Request, model: Model) -> TokenItem:
    grant: Grant | None = request.scope.get(GRANT)
    return TokenItem(
        **token_item(token, model.clock.now_us()),
        is_session=token.label == SESSION_LABEL,
        is_current=grant is not None and grant.token_id == token.id,
        is_owner=token.label == OWNER_LABEL,
    )
