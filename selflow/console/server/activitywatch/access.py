"""Who may ask what on ActivityWatch's port: Host, Origin and token, in its own envelope.

The rules are those of ``selflow.web.access``; here a tokenless watcher may add events.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from selflow.core.errors import SelFlowError
from selflow.core.grants import Grant, Scope
from selflow.core.listener_settings import AwSettings
from selflow.web.access import (
    RoutePolicy,
    Verify,
    bearer,
    check_grant,
    check_session_change,
    loopback_hosts,
    session_of,
)
from selflow.web.bodies import Message, header

Need = Literal["nothing", "watcher", "view", "operate", "admin"]
"""What a route asks for; ``watcher``: operate, or nothing where watchers need no token."""
_SCOPES: dict[Need, Scope | None] = {
    "nothing": None,
    "watcher": "operate",
    "view": "view",
    "operate": "operate",
    "admin": "admin",
}
_EXTENSION = "chrome-extension://nglaklhklhcoonedhgnpgddginnjdadi"
_FIREFOX_EXTENSION = re.compile(r"moz-extension://[0-9a-f-]{1,64}")
_METHODS = "GET, POST, PUT, DELETE, OPTIONS"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status and ActivityWatch's envelope."""

    status: int
    message: str
    kind: str = ""

    def body(self) -> bytes:
        """As JSON."""
        shown = {"type": self.kind} if self.kind else {}
        return json.dumps({**shown, "message": self.message}).encode()


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one open port."""

    port: int
    settings: AwSettings
    verify: Verify

    def check(
        self, scope: Message, need: Need
    ) -> tuple[Refusal | None, Grant | None, tuple[tuple[str, str], ...]]:
        """Why a request is refused, who asks, and the headers that let its page read the answer."""
        refused = self._host(header(scope, b"host"))
        if refused is not None:
            return refused, None, ()
        origins = header(scope, b"origin")
        refused = self._origin(scope, origins)
        if refused is not None:
            return refused, None, ()
        cors = _cors(origins[0]) if origins else ()
        if scope["method"] == "OPTIONS":
            return None, None, cors
        refused, grant = self._grant(scope, need)
        return refused, grant, cors

    def _host(self, hosts: Sequence[str]) -> Refusal | None:
        if not hosts:
            return Refusal(400, "host header is missing")
        if len(hosts) == 1 and hosts[0].lower() in loopback_hosts(self.port):
            return None
        return Refusal(400, f"host header is invalid (was {hosts[0][:200]})")

    def _origin(self, scope: Message, origins: Sequence[str]) -> Refusal | None:
        """A page's own origin must be one that may ask; what a browser sends without naming the
        page changes nothing.
        """
        if any(not self._may_ask(origin) for origin in origins):
            return Refusal(403, "the request comes from a page of another origin")
        site = (header(scope, b"sec-fetch-site") or [""])[0].lower()
        if site == "cross-site" and not origins and scope["method"] not in _READING:
            return Refusal(403, "the browser marks the request as cross-site")
        return None

    def _may_ask(self, origin: str) -> bool:
        ours = (f"http://127.0.0.1:{self.port}", f"http://localhost:{self.port}", _EXTENSION)
        is_firefox = _FIREFOX_EXTENSION.fullmatch(origin) is not None
        return origin in ours or is_firefox or origin in self.settings.origins

    def _grant(self, scope: Message, need: Need) -> tuple[Refusal | None, Grant | None]:
        sent = header(scope, b"authorization")
        token = bearer(sent)
        session = None if sent else session_of(header(scope, b"cookie"))
        try:
            grant = self.verify(token or session or "") if token or session else None
        except SelFlowError:
            if not self._is_free(need):
                raise
            grant = None  # what needs no token is answered also when the catalog is not there
        if grant is not None and session is not None:
            problem = check_session_change(scope["method"], header(scope, b"origin"))
            if problem is not None:
                return Refusal(problem.status, problem.detail), None
        if grant is None and self._is_free(need):
            return None, None
        least: Scope | None = _SCOPES[need]
        area = "ingest" if need in {"watcher", "operate"} else "aw"
        policy = RoutePolicy(route="/api/0", scope=least, area=area)
        problem = check_grant(grant, policy, was_sent=bool(sent or session))
        if problem is None:
            return None, grant
        kind = "Unauthorized" if problem.status == 401 else "Forbidden"
        return Refusal(problem.status, problem.detail, kind), None

    def _is_free(self, need: Need) -> bool:
        auth = self.settings.auth
        return need == "nothing" or auth == "open" or (auth == "watcher" and need == "watcher")


def _cors(origin: str) -> tuple[tuple[str, str], ...]:
    """Never with credentials: a page of an extension brings a token or nothing."""
    return (
        ("access-control-allow-origin", origin),
        ("access-control-allow-methods", _METHODS),
        ("access-control-allow-headers", "authorization, content-type"),
        ("access-control-expose-headers", "x-selflow-job, content-disposition"),
        ("vary", "origin"),
    )
