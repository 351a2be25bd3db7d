"""Signing a browser in: a code that is good once, then a session that is a token in a cookie.

``selflow ui`` asks for the code over the owner's socket; the page posts it. So no token ever stands
in a URL that is logged, and none of the page's scripts can read the session.
"""

import asyncio
import secrets
from dataclasses import replace
from typing import Annotated

from fastapi import Request, Response
from pydantic import Field

from selflow.console.server.read_model import Model, ReadModel
from selflow.console.server.routes import SIGN_IN, Routes
from selflow.core.clock import Clock
from selflow.core.errors import ApiError
from selflow.core.grants import OWNER
from selflow.core.ids import new_id, new_token
from selflow.sdk.wire import Answer
from selflow.sdk.wire import Request as Body
from selflow.store.records import Token
from selflow.store.row_writer import writing
from selflow.store.token_check import secret_sha256
from selflow.web.access import SESSION_COOKIE, session_of
from selflow.web.bodies import App, Message, Receive, Send, header
from selflow.web.guard import GRANT

CODE_LIFE_S = 60
SESSION_LIFE_S = 30 * 86_400
SESSION_LABEL = "browser"
_MAX_CODES = 16
_LOOK_AGAIN_S = 3_600.0
_PROLONG_AFTER_US = 86_400_000_000
_MAX_KNOWN_SESSIONS = 1_000
routes = Routes()


class CodeAnswer(Answer):
    """``POST /api/auth/code``."""

    code: str
    expires_in: int


class SessionRequest(Body):
    """``POST /api/auth/session``."""

    code: Annotated[str, Field(max_length=100)]


class Codes:
    """Codes that were given out; in memory alone, so that a restart ends them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_s: dict[str, float] = {}

    def give(self) -> str:
        """A new code, good once and for ``CODE_LIFE_S``."""
        while len(self._until_s) >= _MAX_CODES:
            self._until_s.pop(next(iter(self._until_s)))
        code = secrets.token_urlsafe(24)
        self._until_s[code] = self._clock.monotonic_s() + CODE_LIFE_S
        return code

    def take(self, code: str) -> bool:
        """Use a code up; False if it was never given, was used, or is too old."""
        known = next((own for own in self._until_s if secrets.compare_digest(own, code)), None)
        until_s = self._until_s.pop(known) if known else 0.0
        return known is not None and self._clock.monotonic_s() < until_s


class SlidingSessions:
    """Lets a browser's session end ``SESSION_LIFE_S`` after it was last used, not after it began.

    Stands behind the guard. Cost: a session is looked at once an hour, and written once a day.
    """

    def __init__(self, app: App, model: ReadModel) -> None:
        self._app = app
        self._model = model
        self._look_s: dict[str, float] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hand a request on; its answer brings the cookie again when the session was prolonged."""
        secret = session_of(header(scope, b"cookie")) if GRANT in scope else None
        if header(scope, b"authorization") or secret is None or not self._is_due(secret):
            await self._app(scope, receive, send)
            return
        is_longer = await asyncio.to_thread(self._prolong, secret)

        async def with_cookie(message: Message) -> None:
            is_own = any(name == b"set-cookie" for name, _ in message.get("headers", ()))
            if message["type"] == "http.response.start" and is_longer and not is_own:
                message = {**message, "headers": [*message["headers"], _cookie(secret)]}
            await send(message)

        await self._app(scope, receive, with_cookie)

    def _is_due(self, secret: str) -> bool:
        key, now_s = secret_sha256(secret), self._model.clock.monotonic_s()
        if now_s < self._look_s.get(key, now_s):
            return False
        if len(self._look_s) >= _MAX_KNOWN_SESSIONS:
            self._look_s.clear()
        self._look_s[key] = now_s + _LOOK_AGAIN_S
        return True

    def _prolong(self, secret: str) -> bool:
        until_us = self._model.clock.now_us() + SESSION_LIFE_S * 1_000_000
        for token in self._model.catalog.learned(Token, secret_sha256=secret_sha256(secret)):
            known_us = token.expires_at_us
            if known_us is None or token.revoked_at_us is not None:
                return False
            if until_us - known_us < _PROLONG_AFTER_US:
                return False
            with writing(self._model.location) as rows:
                rows.update(replace(token, expires_at_us=until_us))
            return True
        return False


def _cookie(secret: str) -> tuple[bytes, bytes]:
    answer = Response()
    answer.set_cookie(
        SESSION_COOKIE, secret, max_age=SESSION_LIFE_S, httponly=True, samesite="strict"
    )
    return b"set-cookie", answer.headers["set-cookie"].encode()


@routes.change("POST", "/api/auth/code", "admin", only_socket=True)
def give_code(request: Request) -> CodeAnswer:
    """A code with which a browser signs in; only over the owner's socket."""
    codes: Codes = request.app.state.codes
    return CodeAnswer(code=codes.give(), expires_in=CODE_LIFE_S)


@routes.change("POST", "/api/auth/session", None, status=204, rate=SIGN_IN)
def open_session(body: SessionRequest, request: Request, model: Model) -> Response:
    """Trade a code for a session's cookie."""
    codes: Codes = request.app.state.codes
    if not body.code.isascii() or not codes.take(body.code):
        raise ApiError(
            401, "unauthenticated", "the code was used or is too old", "run selflow ui again"
        )
    secret, now_us = new_token(), model.clock.now_us()
    until_us = now_us + SESSION_LIFE_S * 1_000_000
    token = Token(
        new_id("tok"),
        "admin",
        [],
        [],
        SESSION_LABEL,
        now_us,
        until_us,
        None,
        secret_sha256(secret),
    )
    with writing(model.location) as rows:
        rows.insert(token)
        details = {"scope": token.scope, "label": token.label}
        rows.audit(now_us, OWNER, "token.create", token.id, details)
    answer = Response(status_code=204)
    answer.raw_headers.append(_cookie(secret))
    return answer


@routes.change("DELETE", "/api/auth/session", "view", status=204)
def end_session(request: Request, model: Model) -> Response:
    """End the session of this browser."""
    secret = session_of(request.headers.getlist("cookie"))
    now_us = model.clock.now_us()
    wanted = secret_sha256(secret) if secret else ""
    for token in model.catalog.learned(Token, secret_sha256=wanted):
        ended = replace(token, revoked_at_us=now_us)
        with writing(model.location) as rows:
            rows.update(ended)
            rows.audit(now_us, OWNER, "token.revoke", token.id)
    answer = Response(status_code=204)
    answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
    return answer
