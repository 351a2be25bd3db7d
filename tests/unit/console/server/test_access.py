"""Who reaches what: the matrix over all routes, and signing a browser in."""

import re

import pytest

from selflow.console.server.app import port_policies
from selflow.console.server.sign_in import CODE_LIFE_S, SESSION_LIFE_S
from selflow.web.access import RoutePolicy
from tests.unit.console.server.worlds import BASE, Console

RANK = {"view": 0, "operate": 1, "admin": 2}
ROUTES = [(method, policy) for (method, _), policy in port_policies().items()]
READING = {"GET"}


def path_of(policy: RoutePolicy) -> str:
    return re.sub(r"\{\w+(:path)?\}", "none", policy.route)


def sign_in(console: Console) -> str:
    code = console.ask_socket("POST", "/api/auth/code").json()["code"]
    answer = console.ask("POST", "/api/auth/session", None, {"origin": BASE}, json={"code": code})
    assert answer.status_code == 204
    return answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("method", "policy"), ROUTES, ids=lambda value: getattr(value, "route", value)
)
def test_the_matrix_of_access(asked: Console, method: str, policy: RoutePolicy) -> None:
    path = path_of(policy)
    for scope in (None, "view", "operate", "admin"):
        for headers, refusal in (({"host": "evil.example"}, 421), ({"origin": "null"}, 403)):
            assert asked.ask(method, path, scope, headers).status_code == refusal
        may = policy.scope is None or (scope is not None and RANK[scope] >= RANK[policy.scope])
        refused = 401 if scope is None else 403
        if not may:
            assert asked.ask(method, path, scope).status_code == refused
        elif method == "GET" and "stream" not in path:
            assert asked.ask(method, path, scope).status_code not in {401, 403, 421, 500}
        if method not in READING:
            crossed = asked.ask(method, path, scope, {"sec-fetch-site": "cross-site"})
            assert crossed.status_code == 403


def test_a_code_signs_a_browser_in_once(console: Console) -> None:
    code = console.ask_socket("POST", "/api/auth/code").json()["code"]
    first = console.ask("POST", "/api/auth/session", None, {"origin": BASE}, json={"code": code})
    again = console.ask("POST", "/api/auth/session", None, {"origin": BASE}, json={"code": code})

    assert (first.status_code, again.status_code) == (204, 401)
    flags = first.headers["set-cookie"].lower()
    assert "httponly" in flags
    assert "samesite=strict" in flags
    assert f"max-age={SESSION_LIFE_S}" in flags


def test_a_code_is_worth_nothing_after_a_minute(console: Console) -> None:
    code = console.ask_socket("POST", "/api/auth/code").json()["code"]
    console.clock.advance(CODE_LIFE_S)
    late = console.ask("POST", "/api/auth/session", None, {"origin": BASE}, json={"code": code})

    assert late.status_code == 401


def test_the_cookie_is_a_session_until_it_is_ended(console: Console) -> None:
    cookie = {"cookie": sign_in(console).partition(";")[0]}
    assert console.ask("GET", "/api/system", None, cookie).status_code == 200
    assert "browser" in {item.label for item in console.catalog.tokens.list_all()}

    ended = console.ask("DELETE", "/api/auth/session", None, {**cookie, "origin": BASE})
    assert ended.status_code == 204
    assert console.ask("GET", "/api/system", None, cookie).status_code == 401
    assert console.catalog.audit.verify().fault == ""


def test_a_change_by_cookie_must_name_our_origin(console: Console) -> None:
    cookie = {"cookie": sign_in(console).partition(";")[0]}

    assert console.ask("DELETE", "/api/auth/session", None, cookie).status_code == 403
    foreign = {**cookie, "origin": "http://127.0.0.1:7731"}
    assert console.ask("DELETE", "/api/auth/session", None, foreign).status_code == 403
    assert console.ask("GET", "/api/system", None, cookie).status_code == 200


def test_a_session_that_is_used_goes_on(console: Console) -> None:
    cookie = {"cookie": sign_in(console).partition(";")[0]}
    assert "set-cookie" not in console.ask("GET", "/api/system", None, cookie).headers
    console.clock.advance(SESSION_LIFE_S - 60)
    renewed = console.ask("GET", "/api/system", None, cookie)
    console.clock.advance(SESSION_LIFE_S - 60)

    assert renewed.headers["set-cookie"].startswith(cookie["cookie"])
    assert "httponly" in renewed.headers["set-cookie"].lower()
    assert console.ask("GET", "/api/system", None, cookie).status_code == 200
    ended = console.ask("DELETE", "/api/auth/session", None, {**cookie, "origin": BASE})
    assert "max-age=0" in ended.headers["set-cookie"].lower()
    assert console.ask("GET", "/api/system", None, cookie).status_code == 401


@pytest.mark.parametrize(
    ("method", "policy"), ROUTES, ids=lambda value: getattr(value, "route", value)
)
def test_every_answer_has_an_id_and_every_scope_a_rate(
    asked: Console, method: str, policy: RoutePolicy
) -> None:
    answer = asked.ask(method, path_of(policy), None)

    assert re.fullmatch(r"req_[0-9a-f]{20}", answer.headers["x-request-id"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert policy.scope is None or policy.rate is not None
    assert method in READING or policy.rate is not None


def test_a_session_ends_after_thirty_days(console: Console) -> None:
    cookie = {"cookie": sign_in(console).partition(";")[0]}
    console.clock.advance(SESSION_LIFE_S)

    assert console.ask("GET", "/api/system", None, cookie).status_code == 401
