"""Policies by path, with parameters; and the cookie that stands for a token."""

import pytest

from selflow.core.ids import new_token
from selflow.web.access import SESSION_COOKIE, RoutePolicy, session_of
from selflow.web.route_table import RouteTable

TOKEN = new_token()


def table(*routes: str) -> RouteTable:
    made = RouteTable()
    for route in routes:
        made.add("GET", RoutePolicy(route, None))
    return made


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/api/things/one", "/api/things/{id}"),
        ("/api/things/all", "/api/things/all"),
        ("/api/things/a/b", None),
        ("/api/things/", None),
        ("/files/a/b.c", "/files/{name:path}"),
        ("/filesXa", "/{page}"),
        ("/api.things", "/{page}"),
    ],
)
def test_a_path_has_the_policy_of_its_form(path: str, route: str | None) -> None:
    routes = table("/{page}", "/api/things/{id}", "/api/things/all", "/files/{name:path}")
    policy = routes.get(("GET", path))

    assert (policy.route if policy else None) == route
    assert routes.get(("POST", path)) is None


def test_a_table_takes_in_the_routes_of_another() -> None:
    whole = table("/a")
    whole.include(table("/b/{c}"))

    assert set(whole) == {("GET", "/a"), ("GET", "/b/{c}")}
    assert len(whole) == 2
    assert ("GET", "/b/x") in whole


@pytest.mark.parametrize(
    "cookies",
    [
        [],
        [f"other={TOKEN}"],
        [f"{SESSION_COOKIE}={TOKEN}x"],
        [f"x{SESSION_COOKIE}={TOKEN}"],
        [f"{SESSION_COOKIE}={TOKEN}; {SESSION_COOKIE}={TOKEN}"],
        [f"{SESSION_COOKIE}={TOKEN}", f"{SESSION_COOKIE}={TOKEN}"],
    ],
)
def test_a_cookie_that_is_not_exactly_ours_is_none(cookies: list[str]) -> None:
    assert session_of(cookies) is None


def test_a_session_is_found_among_other_cookies() -> None:
    assert session_of([f"a=b; {SESSION_COOKIE}={TOKEN}; c=d"]) == TOKEN
