"""The rules of access, and the one layer that applies them."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from selflow.core.ids import new_token
from selflow.testing import ManualClock
from selflow.web.access import (
    Grant,
    Rate,
    Rates,
    RoutePolicy,
    TokenCache,
    bearer,
    check_host,
    check_origin,
    loopback_hosts,
)
from selflow.web.bodies import Message, Receive, Send
from selflow.web.guard import Guard, Listener

PORT = 7731
HOSTS = loopback_hosts(PORT)
POLICIES = {
    ("GET", "/open"): RoutePolicy("/open", None),
    ("POST", "/ask"): RoutePolicy(
        "/ask", "operate", "inference", Rate("inference", 2), 10, is_queued=True
    ),
    ("GET", "/rules"): RoutePolicy("/rules", "admin"),
}
TOKENS = {scope: new_token() for scope in ("view", "operate", "admin")}


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7731", "LOCALHOST:7731", "[::1]:7731", "selflow.localhost:7731"]
)
def test_every_name_of_loopback_with_our_port_is_ours(host: str) -> None:
    assert check_host([host], HOSTS) is None


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        [""],
        ["127.0.0.1"],
        ["127.0.0.1:7730"],
        ["evil.example:7731"],
        ["127.0.0.1:7731.evil.example"],
        ["127.0.0.1:7731", "evil.example:7731"],
        ["127.0.0.1:7731,evil.example"],
        ["0.0.0.0:7731"],
    ],
)
def test_any_other_host_is_refused(hosts: list[str]) -> None:
    problem = check_host(hosts, HOSTS)

    assert problem is not None
    assert (problem.status, problem.code) == (421, "bad_host")


@pytest.mark.parametrize(
    "origin", ["null", "http://evil.example", "https://127.0.0.1:7731", "http://127.0.0.1:7730"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_foreign_page_is_refused(method: str, origin: str) -> None:
    problem = check_origin(method, [origin], "", HOSTS)

    assert problem is not None
    assert (problem.status, problem.code) == (403, "bad_origin")


def test_a_cross_site_mark_stops_changes_but_not_a_followed_link() -> None:
    assert check_origin("POST", [], "cross-site", HOSTS) is not None
    assert check_origin("GET", [], "cross-site", HOSTS) is None
    assert check_origin("POST", ["http://127.0.0.1:7731"], "same-origin", HOSTS) is None


def test_a_bearer_token_has_exactly_our_form() -> None:
    token = new_token()

    assert bearer([f"Bearer {token}"]) == token
    assert bearer([f"bearer  {token}"]) == token
    for wrong in (
        [],
        [token],
        [f"Basic {token}"],
        [f"Bearer {token}x"],
        [f"Bearer {token}", f"Bearer {token}"],
    ):
        assert bearer(wrong) is None


def test_a_rate_gives_a_minutes_worth_and_then_an_even_flow() -> None:
    clock = ManualClock()
    rates = Rates(clock)
    rate = Rate("inference", 60)

    taken = [rates.take("a", rate) for _ in range(61)]
    assert [left.retry_after_s for left in taken[:60]] == [0] * 60
    assert (taken[59].remaining, taken[60].retry_after_s, taken[60].reset_s) == (0, 1, 60)
    assert ("retry-after", "1") in taken[60].headers()
    assert rates.take("b", rate).retry_after_s == 0
    clock.advance(2.0)
    assert [rates.take("a", rate).retry_after_s for _ in range(3)] == [0, 0, 1]
    clock.advance(3_600.0)
    assert [rates.take("a", rate).retry_after_s for _ in range(61)] == [0] * 60 + [1]


def test_a_clock_that_stands_still_gives_nothing_back() -> None:
    rates = Rates(ManualClock())
    rate = Rate("slow", 1)
    rates.take("a", rate)

    assert [rates.take("a", rate).retry_after_s for _ in range(3)] == [60, 60, 60]


def test_a_revoked_token_is_refused_after_the_cache_forgets_it() -> None:
    clock = ManualClock()
    grants = {"t": Grant("tok_1", "view")}
    cache = TokenCache(grants.get, clock, ttl_s=2.0)

    assert cache("t") is not None
    grants.clear()
    assert cache("t") is not None
    clock.advance(2.0)
    assert cache("t") is None


def test_the_cache_forgets_early_under_a_flood_of_wrong_tokens() -> None:
    asked: list[str] = []

    def verify(token: str) -> None:
        asked.append(token)

    cache = TokenCache(verify, ManualClock(), max_tokens=8)
    for number in (*range(100), 0):
        cache(str(number))

    assert asked.count("0") == 2


FOREVER = b"never sent"
"""A chunk that the client announces and never sends."""


class EchoServer:
    """A guard before an application that echoes; speaks raw ASGI."""

    def __init__(
        self,
        *,
        running: int = 1,
        waiting: int = 0,
        is_owner: bool = False,
        body_deadline_s: float = 20.0,
    ) -> None:
        self.reached: list[bytes] = []
        self.seen: list[tuple[str, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()
        known = {
            TOKENS[scope]: Grant(scope, scope, is_owner=is_owner)
            for scope in ("view", "operate", "admin")
        }
        routes = Listener(PORT, POLICIES, running, waiting, body_deadline_s)
        self.guard = Guard(
            self.echo, routes, known.get, ManualClock(), lambda r, s, _: self.seen.append((r, s))
        )

    async def echo(self, scope: Message, receive: Receive, send: Send) -> None:
        message = await receive()
        self.reached.append(message["body"])
        self.arrived.set()
        await self.gate.wait()
        if message["body"] == b"[13]":
            raise KeyError("the owner's secret")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["body"]})

    async def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        chunks: Sequence[bytes] = (b"",),
    ) -> tuple[int, dict[str, str], bytes]:
        given = {"host": f"127.0.0.1:{PORT}", **(headers or {})}
        waiting = [
            {"type": "http.request", "body": chunk, "more_body": place < len(chunks) - 1}
            for place, chunk in enumerate(chunks)
        ]
        sent: list[Any] = []

        async def receive() -> Message:
            message = waiting.pop(0)
            if message["body"] == FOREVER:
                await asyncio.Event().wait()
            return message

        async def send(message: Message) -> None:
            sent.append(message)

        raw = [(name.encode(), value.encode()) for name, value in given.items()]
        await self.guard(
            {"type": "http", "method": method, "path": path, "headers": raw}, receive, send
        )
        told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], told, sent[1]["body"]


def ask(
    listener: EchoServer,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    chunks: Sequence[bytes] = (b"",),
) -> tuple[int, dict[str, str], bytes]:
    return asyncio.run(listener.ask(method, path, headers, chunks))


def as_(scope: str) -> dict[str, str]:
    return {"authorization": f"Bearer {TOKENS[scope]}", "content-type": "application/json"}


def test_a_public_route_needs_no_token_but_the_right_host() -> None:
    listener = EchoServer()

    assert ask(listener, "GET", "/open")[0] == 200
    assert ask(listener, "GET", "/open", {"host": "evil.example:7731"})[0] == 421
    assert len(listener.reached) == 1


@pytest.mark.parametrize(
    ("scope", "status"),
    [("", 401), ("view", 403), ("operate", 200), ("admin", 200)],
)
def test_a_scope_opens_what_it_may_and_no_more(scope: str, status: int) -> None:
    listener = EchoServer()

    answer = ask(
        listener, "POST", "/ask", as_(scope) if scope else None, chunks=[b"[]"] if scope else [b""]
    )

    assert answer[0] == status
    assert len(listener.reached) == (status == 200)


def test_the_order_is_host_origin_token_scope_rate_size_type() -> None:
    listener = EchoServer()
    faults = {
        "host": ("evil.example", f"localhost:{PORT}"),
        "origin": ("null", f"http://localhost:{PORT}"),
        "authorization": (f"Bearer {new_token()}", f"Bearer {TOKENS['operate']}"),
        "content-type": ("text/plain", "text/plain"),
    }
    headers = {name: wrong for name, (wrong, _) in faults.items()}
    codes = []
    for name in ("host", "origin", "authorization"):
        codes.append(ask(listener, "POST", "/ask", headers, [b"x" * 20])[0])
        headers[name] = faults[name][1]
    codes.extend(ask(listener, "POST", "/ask", headers, [b"x" * size])[0] for size in (20, 1, 20))

    assert codes == [421, 403, 401, 413, 415, 429]


def test_a_route_without_a_policy_is_refused_even_to_the_owner() -> None:
    listener = EchoServer()

    assert ask(listener, "GET", "/hidden")[0] == 401
    assert ask(listener, "GET", "/hidden", as_("admin"))[0] == 404
    status, headers, body = ask(listener, "DELETE", "/ask", as_("admin"))
    assert (status, headers["allow"], json.loads(body)["code"]) == (
        405,
        "POST",
        "method_not_allowed",
    )
    assert listener.reached == []


def test_a_body_over_the_limit_is_refused_told_or_streamed() -> None:
    listener = EchoServer(is_owner=True)

    told = ask(
        listener, "POST", "/ask", {**as_("operate"), "content-length": "11"}, [b"never read"]
    )
    streamed = ask(listener, "POST", "/ask", as_("operate"), [b"123456", b"78901", b"never read"])
    fits = ask(listener, "POST", "/ask", as_("operate"), [b"12345", b"67890"])

    assert (told[0], streamed[0], fits[0]) == (413, 413, 200)
    assert json.loads(told[2])["detail"] == "body of 11 bytes; the limit is 10"
    assert json.loads(streamed[2])["detail"] == "body of more than 10 bytes; the limit is 10"
    assert listener.reached == [b"1234567890"]


def test_a_body_that_is_not_json_is_refused_by_its_type() -> None:
    status, _, body = ask(
        EchoServer(), "POST", "/ask", {**as_("operate"), "content-type": "text/plain"}, [b"hi"]
    )

    assert (status, json.loads(body)["code"]) == (415, "bad_media_type")


def test_every_refusal_is_the_one_envelope() -> None:
    status, headers, body = ask(EchoServer(), "POST", "/ask")
    told = json.loads(body)

    assert status == told["status"] == 401
    assert headers["content-type"] == "application/problem+json"
    assert headers["www-authenticate"] == 'Bearer realm="selflow"'
    assert headers["x-request-id"] == told["request_id"]
    assert told["type"] == "urn:selflow:error:unauthenticated"
    assert set(told) == {
        "type",
        "title",
        "status",
        "code",
        "detail",
        "hint",
        "request_id",
        "field_errors",
    }


def test_the_rate_holds_for_a_token_and_not_for_the_owner() -> None:
    listener, owners = EchoServer(), EchoServer(is_owner=True)

    answers = [ask(listener, "POST", "/ask", as_("operate"), chunks=[b"[]"]) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert answers[0][1]["ratelimit-limit"] == "2"
    assert answers[2][1]["retry-after"] == "30"
    assert {ask(owners, "POST", "/ask", as_("operate"), chunks=[b"[]"])[0] for _ in range(5)} == {
        200
    }


def test_one_request_more_than_may_run_and_wait_is_told_to_come_back() -> None:
    async def crowd() -> list[int]:
        listener = EchoServer(running=1, waiting=1, is_owner=True)
        listener.gate.clear()
        inside = [
            asyncio.ensure_future(listener.ask("POST", "/ask", as_("operate"), [b"[]"]))
            for _ in range(2)
        ]
        await listener.arrived.wait()
        third = await listener.ask("POST", "/ask", as_("operate"), [b"[]"])
        health = asyncio.ensure_future(listener.ask("GET", "/open"))
        assert len(listener.reached) == 1
        listener.gate.set()
        later = await asyncio.gather(*inside, health)
        return [third[0], *(status for status, _, _ in later)]

    assert asyncio.run(crowd()) == [429, 200, 200, 200]


def test_a_failure_inside_is_answered_and_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listener = EchoServer()

    status, _, body = ask(listener, "POST", "/ask", as_("operate"), [b"[13]"])

    assert (status, json.loads(body)["code"]) == (500, "internal")
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text + body.decode()


def test_a_client_that_leaves_gets_no_answer_and_is_counted() -> None:
    async def leave() -> list[tuple[str, int]]:
        listener = EchoServer()

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            raise AssertionError(message)

        given = {"host": f"127.0.0.1:{PORT}", **as_("operate")}
        raw = [(name.encode(), value.encode()) for name, value in given.items()]
        await listener.guard(
            {"type": "http", "method": "POST", "path": "/ask", "headers": raw}, receive, send
        )
        return listener.seen

    assert asyncio.run(leave()) == [("/ask", 499)]


@pytest.mark.parametrize("head", [{"transfer-encoding": "chunked"}, {"content-length": "5"}])
def test_a_public_route_refuses_a_body_without_reading_it(head: dict[str, str]) -> None:
    listener = EchoServer()

    status, headers, body = ask(listener, "GET", "/open", head, chunks=[])

    assert (status, headers["connection"]) == (413, "close")
    assert json.loads(body)["detail"] == "this route takes no body"
    assert listener.reached == []


def test_a_body_that_never_ends_is_refused_at_the_deadline() -> None:
    listener = EchoServer(body_deadline_s=0.01, is_owner=True)

    asked = listener.ask("POST", "/ask", as_("operate"), [b"[", FOREVER])
    status, headers, body = asyncio.run(asyncio.wait_for(asked, 5))

    assert (status, json.loads(body)["code"]) == (408, "timeout")
    assert headers["connection"] == "close"


def test_stalled_bodies_take_no_place_from_others() -> None:
    async def crowd() -> int:
        listener = EchoServer(running=1, waiting=0, is_owner=True)
        stalled = [
            asyncio.ensure_future(listener.ask("POST", "/ask", as_("operate"), [b"[", FOREVER]))
            for _ in range(8)
        ]
        await asyncio.sleep(0)
        answer = await listener.ask("POST", "/ask", as_("operate"), [b"[]"])
        for each in stalled:
            each.cancel()
        return answer[0]

    assert asyncio.run(crowd()) == 200


def test_a_web_socket_is_closed() -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(
        EchoServer().guard({"type": "websocket", "path": "/open", "headers": []}, receive, send)
    )

    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_routes_are_counted_by_their_canonical_name_only() -> None:
    listener = EchoServer()

    ask(listener, "GET", "/open")
    ask(listener, "GET", "/home/owner/secret", as_("admin"))

    assert listener.seen == [("/open", 200), ("other", 404)]
