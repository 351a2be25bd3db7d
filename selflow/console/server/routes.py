"""Routes of the console, each with what it demands from a caller: both stand in one place."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from selflow.console.server.preconditions import takes_idempotency_key, takes_if_match
from selflow.core.grants import OWNER, Grant, Scope
from selflow.web.access import Rate, RoutePolicy
from selflow.web.guard import GRANT
from selflow.web.owner_socket import OWNER_SOCKET
from selflow.web.route_table import RouteTable

MAX_BODY_BYTES = 65_536
"""Of every request but those that bring events in."""
OTHERS = Rate("console", 600)
SIGN_IN = Rate("auth", 5)

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Routes:
    """Collects routes and policies; the owner's socket has every route, the port all but those that
    are ``only_socket``.
    """

    def __init__(self) -> None:
        self.router = APIRouter()
        self.policies = RouteTable()
        self.socket_policies = RouteTable()

    def get(
        self,
        path: str,
        scope: Scope | None,
        *,
        area: str = "",
        in_schema: bool = True,
        response_class: type[Response] = JSONResponse,
        responses: dict[int | str, dict[str, Any]] | None = None,
    ) -> Callable[[Handler], Handler]:
        """A route that reads. ``scope`` None is public."""
        rate = OTHERS if scope else None
        self._demand("GET", RoutePolicy(path, scope, area, rate))
        return self.router.get(
            path,
            include_in_schema=in_schema,
            response_class=response_class,
            responses=responses,
        )

    def change(  # noqa: PLR0913  (a route is known by all of these)
        self,
        method: str,
        path: str,
        scope: Scope | None,
        *,
        status: int = 200,
        area: str = "",
        rate: Rate = OTHERS,
        max_body_bytes: int = MAX_BODY_BYTES,
        media: tuple[str, ...] = ("application/json",),
        only_socket: bool = False,
        in_schema: bool = True,
    ) -> Callable[[Handler], Handler]:
        """A route that changes something."""
        policy = RoutePolicy(path, scope, area, rate, max_body_bytes, media=media)
        self._demand(method, policy, only_socket=only_socket)
        takes: list[Callable[..., Any]] = (
            [takes_idempotency_key] if (method, status) == ("POST", 202) else []
        )
        takes += [takes_if_match] if method == "PATCH" else []
        return self.router.api_route(
            path,
            methods=[method],
            status_code=status,
            dependencies=[Depends(one) for one in takes],
            include_in_schema=in_schema,
        )

    def _demand(self, method: str, policy: RoutePolicy, *, only_socket: bool = False) -> None:
        self.socket_policies.add(method, policy)
        if not only_socket:
            self.policies.add(method, policy)


def actor_of(request: Request) -> str:
    """Who acts, for the audit log: the owner, or the token or session that was sent."""
    grant: Grant | None = request.scope.get(GRANT)
    if request.scope.get(OWNER_SOCKET) or grant is None or grant.is_owner:
        return OWNER
    return grant.token_id
