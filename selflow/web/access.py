"""Who may call what: scopes, the Host and Origin rules, bearer tokens, rates and the error
envelope.

Everything here is a rule without a server; ``selflow.web.guard`` applies the rules to ASGI
requests in the order of docs/http.md#access.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from selflow.core.clock import Clock
from selflow.core.grants import Grant, Scope

_RANK: dict[Scope, int] = {"view": 0, "operate": 1, "admin": 2}
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]", "selflow.localhost")
_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_BEARER = re.compile(r"(?i:bearer) +(sf_[A-Za-z0-9_-]{43})")


SESSION_COOKIE = "selflow_session"
"""The cookie of a browser that its owner has signed in; its value has a token's form."""
_COOKIE = re.compile(rf"(?:^|; *){SESSION_COOKIE}=(sf_[A-Za-z0-9_-]{{43}})(?=;|$)")


Verify = Callable[[str], Grant | None]
"""Looks a token up in the catalog; None if it is unknown, revoked or expired."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How many requests of one class a token may make in a minute."""

    name: str
    per_min: int


@dataclass(frozen=True, slots=True)
class RoutePolicy:
    """What one route demands. Every route of every listener has one, or it is refused.

    ``route`` is the canonical path (an alias bears that of its twin), ``scope`` the least scope
    (None is public), ``area`` the word that a narrowed token needs, ``max_body_bytes`` the largest
    JSON body (0: no body). A ``is_queued`` route counts against the requests that may run and wait.
    ``media`` are the types of a body.
    """

    route: str
    scope: Scope | None
    area: str = ""
    rate: Rate | None = None
    max_body_bytes: int = 0
    is_queued: bool = False
    media: tuple[str, ...] = ("application/json",)


Policies = Mapping[tuple[str, str], RoutePolicy]
"""By method and exact path."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal, ready to be sent as ``application/problem+json``."""

    status: int
    code: str
    detail: str
    hint: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    field_errors: tuple[tuple[str, str], ...] = ()

    def body(self, request_id: str) -> bytes:
        """The envelope of docs/http.md#errors."""
        envelope = {
            "type": f"urn:selflow:error:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "hint": self.hint,
            "request_id": request_id,
            "field_errors": [{"loc": loc, "msg": msg} for loc, msg in self.field_errors],
        }
        return json.dumps(envelope, ensure_ascii=False).encode()


def loopback_hosts(port: int) -> frozenset[str]:
    """The only Host headers that a listener on ``port`` answers."""
    return frozenset(f"{name}:{port}" for name in _LOOPBACK_NAMES)


def check_host(given: Sequence[str], allowed: frozenset[str]) -> Problem | None:
    """Refuse a request whose Host is not exactly ours: a foreign name that resolves to loopback
    (DNS rebinding).
    """
    if len(given) == 1 and given[0].lower() in allowed:
        return None
    detail = (
        "the Host header is missing" if not given else "the Host header does not name this listener"
    )
    return Problem(421, "bad_host", detail, f"use one of {', '.join(sorted(allowed))}")


def check_origin(
    method: str, origins: Sequence[str], site: str, allowed: frozenset[str]
) -> Problem | None:
    """Refuse what a foreign page sends: any foreign ``Origin``, and changes marked cross-site.

    Args:
        method: The HTTP method.
        origins: All ``Origin`` headers; none from programs that are not browsers.
        site: The ``Sec-Fetch-Site`` header, empty if absent.
        allowed: The hosts of ``loopback_hosts``.
    """
    if any(origin.lower().removeprefix("http://") not in allowed for origin in origins):
        return Problem(403, "bad_origin", "the request comes from a page of another origin")
    if site.lower() == "cross-site" and method not in _READING_METHODS:
        return Problem(403, "bad_origin", "the browser marks the request as cross-site")
    return None


def bearer(given: Sequence[str]) -> str | None:
    """The token in the ``Authorization`` headers; None unless there is exactly one, of our form."""
    match = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
    return match.group(1) if match else None


def session_of(cookies: Sequence[str]) -> str | None:
    """The token in the session's cookie; None unless there is exactly one, of our form."""
    values = [value for text in cookies for value in _COOKIE.findall(text.strip())]
    return values[0] if len(values) == 1 else None


def check_session_change(method: str, origins: Sequence[str]) -> Problem | None:
    """Refuse a change that a cookie alone vouches for: a browser adds it to what any page sends.

    Browsers name the page in ``Origin`` whenever something changes; ``check_origin`` has seen that
    it is ours.
    """
    if method in _READING_METHODS or origins:
        return None
    return Problem(403, "bad_origin", "a change by a browser's session must name its Origin")


def check_grant(grant: Grant | None, policy: RoutePolicy, *, was_sent: bool) -> Problem | None:
    """Refuse who is nobody (401) or may less than the route demands (403)."""
    if policy.scope is None:
        return None
    if grant is None:
        challenge = 'Bearer realm="selflow"' + (', error="invalid_token"' if was_sent else "")
        detail = (
            "the token is unknown, revoked or expired" if was_sent else "a bearer token is needed"
        )
        hint = (
            "send Authorization: Bearer sf_...; the owner's token is in run/token below "
            "the state root"
        )
        return Problem(401, "unauthenticated", detail, hint, (("www-authenticate", challenge),))
    if grant.only and policy.area not in grant.only:
        return Problem(
            403, "forbidden_scope", f"the token is restricted to {', '.join(sorted(grant.only))}"
        )
    if _RANK[grant.scope] < _RANK[policy.scope]:
        detail = f"the token's scope is {grant.scope}; this route needs {policy.scope}"
        return Problem(403, "forbidden_scope", detail, "use a token with a wider scope")
    return None


class TokenCache:
    """Remembers what a token may do for a few seconds, so that not every request reads the catalog.

    A revocation acts within ``ttl_s``. Keeps hashes, never tokens, and at most ``max_tokens`` of
    them.
    """

    def __init__(
        self, verify: Verify, clock: Clock, ttl_s: float = 2.0, max_tokens: int = 1_024
    ) -> None:
        self._verify = verify
        self._clock = clock
        self._ttl_s = ttl_s
        self._max_tokens = max_tokens
        self._known: dict[bytes, tuple[float, Grant | None]] = {}

    def __call__(self, token: str) -> Grant | None:
        """The grant of a token; None if it has none."""
        key = hashlib.sha256(token.encode()).digest()
        now_s = self._clock.monotonic_s()
        known = self._known.get(key)
        if known is not None and now_s - known[0] < self._ttl_s:
            return known[1]
        if len(self._known) >= self._max_tokens:
            self._known.clear()
        grant = self._verify(token)
        self._known[key] = (now_s, grant)
        return grant


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of a rate after one request asked for its place; ``retry_after_s`` is 0 if it
    got one.
    """

    limit: int
    remaining: int
    reset_s: int
    retry_after_s: int

    def headers(self) -> tuple[tuple[str, str], ...]:
        """The ``RateLimit-*`` headers, and ``Retry-After`` on a refusal."""
        limits = (
            ("ratelimit-limit", str(self.limit)),
            ("ratelimit-remaining", str(self.remaining)),
            ("ratelimit-reset", str(self.reset_s)),
        )
        return (*limits, ("retry-after", str(self.retry_after_s))) if self.retry_after_s else limits


class Rates:
    """A token bucket per token and rate class: a minute's worth at once, then an even flow."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, token_id: str, rate: Rate) -> Allowance:
        """Take one request's place in the bucket, if there is one."""
        now_s = self._clock.monotonic_s()
        level, seen_s = self._levels.get((token_id, rate.name), (float(rate.per_min), now_s))
        per_s = rate.per_min / 60
        level = min(float(rate.per_min), level + (now_s - seen_s) * per_s)
        is_allowed = level >= 1
        level -= is_allowed
        self._levels[token_id, rate.name] = (level, now_s)
        retry_after_s = 0 if is_allowed else max(1, math.ceil((1 - level) / per_s))
        return Allowance(
            rate.per_min, int(level), math.ceil((rate.per_min - level) / per_s), retry_after_s
        )
