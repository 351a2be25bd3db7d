"""Tokens and sessions of browsers, from the page."""

import httpx
import pytest

from tests.unit.console.server.test_access import sign_in
from tests.unit.console.server.worlds import BASE, Console

DAY_S = 86_400


def create(console: Console, **body: object) -> httpx.Response:
    return console.ask("POST", "/api/tokens", "admin", json={"scope": "view", **body})


def listed(console: Console) -> dict[str, dict[str, object]]:
    items = console.ask("GET", "/api/tokens", "admin").json()["items"]
    return {item["id"]: item for item in items}


def test_a_new_token_is_shown_once_and_may_what_it_was_made_for(console: Console) -> None:
    made = create(console, label="grafana", only=["metrics"], expires="30d")
    item = made.json()["item"]
    seen = console.ask("GET", "/api/tokens", "admin")

    assert made.status_code == 201
    assert listed(console)[item["id"]] == item
    assert (item["label"], item["only"], item["expires_at"][:10]) == (
        "grafana",
        ["metrics"],
        "2026-01-31",
    )
    grant = console.catalog.tokens.verify(made.json()["token"], console.clock.now_us())
    assert grant is not None
    assert grant.only == {"metrics"}
    assert made.json()["token"] not in seen.text


def test_a_revoked_token_is_refused_within_two_seconds(console: Console) -> None:
    made = create(console).json()
    bearer = {"authorization": f"Bearer {made['token']}"}
    assert console.ask("GET", "/api/version", None, bearer).status_code == 200
    assert console.ask("DELETE", f"/api/tokens/{made['item']['id']}", "admin").status_code == 204
    console.clock.advance(2)

    assert console.ask("GET", "/api/version", None, bearer).status_code == 401
    assert made["item"]["id"] not in listed(console)
    again = console.ask("DELETE", f"/api/tokens/{made['item']['id']}", "admin")
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"scope": "root"}, "scope"),
        ({"only": ["kitchen"]}, "unknown area 'kitchen'"),
        ({"sources": ["a"]}, "only a token for ingest"),
        ({"expires": "soon"}, "invalid end: soon"),
        ({"expires": "2020-01-01"}, "the expiry is in the past"),
        ({"label": "owner"}, "reserved for the owner's own token"),
        ({"label": "browser"}, "reserved for sessions of browsers"),
    ],
)
def test_what_a_token_cannot_be_is_named(
    console: Console, body: dict[str, object], message: str
) -> None:
    before = listed(console)
    refused = create(console, **body)

    assert refused.status_code == 400
    assert message in refused.json()["detail"]
    assert listed(console) == before


def test_the_owners_own_token_stays(console: Console) -> None:
    console.catalog.tokens.renew_owner(console.clock.now_us())
    (owner,) = [item for item in listed(console).values() if item["is_owner"]]

    assert console.ask("DELETE", f"/api/tokens/{owner['id']}", "admin").status_code == 403
    assert console.ask("DELETE", "/api/tokens/tok_none", "admin").status_code == 404


def test_sessions_are_listed_and_end_when_they_are_revoked(console: Console) -> None:
    cookies = [{"cookie": sign_in(console).partition(";")[0]} for _ in range(2)]
    seen = console.ask("GET", "/api/tokens", None, cookies[0]).json()["items"]
    sessions = {item["is_current"]: item["id"] for item in seen if item["is_session"]}
    own = {**cookies[0], "origin": BASE}
    assert console.ask("DELETE", f"/api/tokens/{sessions[False]}", None, own).status_code == 204

    assert console.ask("GET", "/api/version", None, cookies[0]).status_code == 200
    assert console.ask("GET", "/api/version", None, cookies[1]).status_code == 401
