"""The listener as a whole: every route and every scope, the envelope, metrics, and the threads
below.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event as Flag

import httpx
import pytest
from fastapi.routing import APIRoute

from selflow.core.clock import SystemClock
from selflow.core.errors import NotRunningError, StoreError
from selflow.core.events import Event, Stored
from selflow.core.ids import new_token
from selflow.core.settings import ServeSettings
from selflow.store.catalog import Catalog
from selflow.testing import MemoryLog
from serve.gateway import make_app
from serve.openai import Texts
from serve.openai_errors import ROUTES as OPENAI
from serve.request_metrics import RequestMetrics
from serve.routes import ANY_MODEL, policies
from serve.suggest_socket import SuggestSocket
from tests.unit.inference.worlds import PORT, ROUND, Feed, World

DEADLINE_S = 20.0
ROUTES = sorted(policies(ServeSettings()))
OPEN = {"/health", "/healthz"}
MODELS = {"/v1/models", ANY_MODEL}
MAY = {
    "": OPEN,
    "view": OPEN | {"/metrics"} | MODELS,
    "metrics": OPEN | {"/metrics"},
    "operate": {path for _, path in ROUTES},
    "admin": {path for _, path in ROUTES},
    "owner": {path for _, path in ROUTES},
}


def code_of(answer: httpx.Response) -> str:
    """The code of a refusal, in whichever envelope."""
    body = answer.json()
    return str(body.get("error", body)["code"])


def told(code: str, path: str) -> str:
    """What OpenAI's routes call it."""
    return "invalid_api_key" if code == "unauthenticated" and path.startswith(OPENAI) else code


def test_every_route_has_a_policy_and_every_policy_a_route(shared: World) -> None:
    meters = RequestMetrics()
    suggest_socket = SuggestSocket(Path("unused"), ServeSettings(), shared.clock, meters.answered)
    texts = Texts(None, None, shared.clock, meters)  # type: ignore[arg-type]
    app = make_app(shared.replica.engine, texts, meters, suggest_socket)
    routes = {
        (method, route.path)
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }

    assert routes == set(ROUTES)
    assert all(isinstance(route, APIRoute) for route in app.routes)


@pytest.mark.parametrize("who", MAY)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_scope_may_what_it_may(shared: World, method: str, path: str, who: str) -> None:
    answer = shared.ask(method, path, {} if method == "POST" else None, who=who)

    if path in MAY[who]:
        assert answer.status_code in ({200, 404} if path == ANY_MODEL else {200, 400})
    else:
        refusal = (403, "forbidden_scope") if who else (401, told("unauthenticated", path))
        assert (answer.status_code, code_of(answer)) == refusal


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_refuses_a_foreign_name_page_and_token(
    shared: World, method: str, path: str
) -> None:
    body: dict[str, str] | None = {} if method == "POST" else None
    wrong = {
        "host": (421, "bad_host", {"host": f"rebound.example:{PORT}"}),
        "origin": (403, "bad_origin", {"origin": "http://page.example"}),
        "token": (401, "unauthenticated", {"authorization": f"Bearer {new_token()}"}),
    }
    for name, (status, code, headers) in wrong.items():
        answer = shared.ask(method, path, body, headers=headers)
        if name == "token" and path in OPEN:
            assert answer.status_code == 200
        else:
            assert (answer.status_code, code_of(answer)) == (status, told(code, path))
            if not path.startswith(OPENAI):
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.headers["x-request-id"] == answer.json()["request_id"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/predict", 405),
        ("POST", "/health", 405),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
    ],
)
def test_what_is_not_offered_is_refused_in_the_envelope(
    shared: World, method: str, path: str, status: int
) -> None:
    answer = shared.ask(method, path)

    assert (answer.status_code, answer.json()["status"]) == (status, status)


def test_a_body_that_is_not_json_by_its_type_is_refused(shared: World) -> None:
    answer = shared.ask(
        "POST", "/v1/predict", content=b"{}", headers={"content-type": "text/plain"}
    )

    assert (answer.status_code, answer.json()["code"]) == (415, "bad_media_type")


def test_a_token_that_was_revoked_or_has_ended_is_refused(world: World) -> None:
    catalog = Catalog.open(world.root.catalog)
    now_us = world.clock.now_us()
    secret, _ = catalog.tokens.create(
        "view", "short", now_us, "owner", expires_at_us=now_us + 60_000_000
    )
    world.tokens["short"] = secret
    assert world.ask("GET", "/metrics", who="short").status_code == 200
    world.clock.advance(61.0)
    assert world.ask("GET", "/metrics", who="short").status_code == 401
    assert world.ask("GET", "/metrics", who="view").status_code == 200
    view = next(each for each in catalog.tokens.list_all() if each.label == "a")
    catalog.tokens.revoke(view.id, now_us, "owner")
    catalog.close()
    world.clock.advance(2.0)
    assert world.ask("GET", "/metrics", who="view").status_code == 401


@pytest.mark.setting("serve.rate_per_min")
def test_inference_has_a_rate_per_token_and_the_owner_has_none(world: World) -> None:
    world.serve = world.serve.model_copy(update={"rate_per_min": 3})
    world.restart()
    world.catch_up()

    codes = [world.ask("POST", "/v1/predict", {}, who="operate").status_code for _ in range(4)]
    last = world.ask("POST", "/predict", {}, who="operate")
    assert codes == [200, 200, 200, 429]
    assert (last.status_code, last.json()["code"], last.headers["retry-after"]) == (
        429,
        "rate_limited",
        "20",
    )
    assert {world.ask("POST", "/v1/predict", {}).status_code for _ in range(5)} == {200}
    assert world.ask("POST", "/v1/predict", {}, who="admin").status_code == 200
    world.clock.advance(20.0)
    assert world.ask("POST", "/v1/predict", {}, who="operate").status_code == 200


@pytest.mark.setting("serve.max_body_bytes")
def test_the_largest_body_is_a_setting(fresh: World) -> None:
    fresh.serve = fresh.serve.model_copy(update={"max_body_bytes": 2_000})
    fresh.restart()
    fresh.catch_up()

    assert fresh.ask("POST", "/v1/predict", content=b" " * 1_998 + b"{}").status_code == 200
    assert fresh.ask("POST", "/v1/predict", content=b" " * 1_999 + b"{}").status_code == 413


@pytest.mark.setting("serve.running")
@pytest.mark.setting("serve.waiting")
def test_a_crowd_is_told_to_come_back(world: World) -> None:
    world.serve = world.serve.model_copy(update={"running": 2, "waiting": 3})
    world.restart()
    world.catch_up()
    headers = {"authorization": f"Bearer {world.tokens['owner']}"}

    async def crowd() -> list[int]:
        transport = httpx.ASGITransport(app=world.replica.gateway)
        async with httpx.AsyncClient(
            transport=transport, base_url=f"http://127.0.0.1:{PORT}", headers=headers
        ) as client:
            asked = await asyncio.gather(*(client.post("/v1/predict", json={}) for _ in range(9)))
        return sorted(answer.status_code for answer in asked)

    assert asyncio.run(crowd()) == [200] * 5 + [429] * 4


def test_metrics_count_routes_metrics_and_bits_and_name_nobody(world: World) -> None:
    asked = world.predict()
    world.ask("POST", "/predict", {})
    world.ask("POST", "/v1/predict", {"topk": 1})
    world.outcome(asked["decision_id"], ROUND[0])
    world.feedback(asked["decision_id"], "my_secret_metric", 1)
    world.ask("GET", "/home/owner/plans")
    answer = world.ask("GET", "/metrics", who="metrics")
    lines = set(answer.text.splitlines())

    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert {
        'selflow_requests_total{code="200",route="/v1/predict"} 2.0',
        'selflow_requests_total{code="400",route="/v1/predict"} 1.0',
        'selflow_requests_total{code="404",route="other"} 1.0',
        'selflow_request_seconds_count{route="/v1/predict"} 3.0',
        'selflow_feedback_total{metric="outcome"} 1.0',
        'selflow_feedback_total{metric="own"} 1.0',
        "selflow_prediction_bits_count 36.0",
        "selflow_prediction_lag_events 0.0",
    } <= lines
    assert not any(
        word in answer.text for word in ("secret", "plans", asked["decision_id"], ROUND[1])
    )


class Watched(Feed):
    """Says when the follower asks for what comes after an event, and may hold it there."""

    def __init__(self, world: World, awaited_seq: int) -> None:
        super().__init__(world.feed.log)
        self.awaited_seq = awaited_seq
        self.has_asked = Flag()
        self.may_go_on = Flag()

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        if after_seq >= self.awaited_seq:
            self.has_asked.set()
            self.may_go_on.wait(DEADLINE_S)
        return super().read(after_seq, limit_events)


def test_the_follower_learns_by_itself_and_a_held_buffer_holds_no_answer(fresh: World) -> None:
    fresh.happen(9)
    fresh.clock = SystemClock()  # type: ignore[assignment]
    feed = fresh.feed = Watched(fresh, 36)
    fresh.restart()
    engine = fresh.replica.engine
    engine.start()

    assert feed.has_asked.wait(DEADLINE_S)
    assert fresh.predict()["predictions"][0]["subject"] == ROUND[0]
    assert fresh.ask("GET", "/health").json()["lag_events"] == 0
    engine.check()
    feed.may_go_on.set()
    fresh.stop()


class Asking(Feed):
    """Does something else whenever it is read."""

    def __init__(self, log: MemoryLog, act: Callable[[], object]) -> None:
        super().__init__(log)
        self.act = act

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        self.act()
        return super().read(after_seq, limit_events)


def lag_events(world: World) -> int:
    return int(world.ask("GET", "/health").json()["lag_events"])


def test_the_lag_is_that_of_the_moment_of_the_question(fresh: World) -> None:
    fresh.happen(1)
    fresh.catch_up()
    assert lag_events(fresh) == 0

    fresh.happen(9)
    assert lag_events(fresh) == 36
    metrics = fresh.ask("GET", "/metrics").text.splitlines()
    assert "selflow_prediction_lag_events 36.0" in metrics
    fresh.catch_up()
    assert lag_events(fresh) == 0


def test_the_lag_is_right_before_the_first_read(fresh: World) -> None:
    seen: list[int] = []
    fresh.happen(9)
    fresh.feed = Asking(fresh.feed.log, lambda: seen.append(lag_events(fresh)))
    fresh.restart()
    fresh.catch_up()

    assert seen == [36]
    assert lag_events(fresh) == 0


class Unreadable(Feed):
    """A log whose files cannot be read."""

    def last_seq(self) -> int:
        raise StoreError("cannot read the event log", "restore the folder from a backup")


def test_a_log_that_cannot_be_read_degrades_health(fresh: World) -> None:
    fresh.feed = Unreadable(fresh.feed.log)
    fresh.restart()
    fresh.catch_up()
    health = fresh.ask("GET", "/health").json()

    assert (health["status"], health["last_error"]) == ("degraded", "cannot read the event log")


def test_an_end_in_the_middle_of_a_read_learns_no_more(fresh: World) -> None:
    fresh.catch_up()
    fresh.happen(9)
    fresh.feed = Asking(fresh.feed.log, fresh.stop)
    fresh.restart()
    fresh.catch_up()

    assert lag_events(fresh) == 36


class Behind(Feed):
    """A log of very many events, of which the last ones do not come."""

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        if after_seq:
            raise StoreError(
                "the buffer is unavailable (ActorDiedError)", "the supervisor recreates it"
            )
        event = Event(self.log.read(0, 1)[0].event.ts_us, "files", "file.modify", "one long burst")
        return [Stored(seq, event) for seq in range(1, limit_events + 1)]

    def last_seq(self) -> int:
        return 1_200


def test_a_replica_that_is_far_behind_the_log_says_so(fresh: World) -> None:
    fresh.happen(1)
    fresh.feed = Behind(fresh.feed.log)
    fresh.restart()
    assert fresh.replica.engine.step()
    health = fresh.ask("GET", "/health").json()

    assert (health["status"], health["lag_events"], health["last_error"]) == ("degraded", 700, "")


def test_serve_starts_and_stops_it_by_the_lifespan(fresh: World) -> None:
    fresh.happen(9)
    fresh.clock = SystemClock()  # type: ignore[assignment]
    feed = fresh.feed = Watched(fresh, 36)
    feed.may_go_on.set()
    fresh.restart()

    async def live() -> list[str]:
        to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        told: asyncio.Queue[str] = asyncio.Queue()

        async def send(message: object) -> None:
            assert isinstance(message, dict)
            await told.put(message["type"])

        running = asyncio.ensure_future(
            fresh.replica.gateway({"type": "lifespan"}, to_app.get, send)
        )
        await to_app.put({"type": "lifespan.startup"})
        begun = await told.get()
        await asyncio.to_thread(feed.has_asked.wait, DEADLINE_S)
        await to_app.put({"type": "lifespan.shutdown"})
        await running
        return [begun, await told.get()]

    assert asyncio.run(live()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    fresh.feed.is_away = True
    fresh.restart()
    fresh.catch_up()
    assert fresh.predict()["predictions"][0]["subject"] == ROUND[0]


class Broken(Feed):
    """A fault of ours, not of the store."""

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        raise KeyError(f"the owner's secret, {after_seq}, {limit_events}")


def test_a_replica_whose_follower_died_is_unhealthy(
    fresh: World, caplog: pytest.LogCaptureFixture
) -> None:
    fresh.feed = Broken(fresh.feed.log)
    fresh.restart()
    engine = fresh.replica.engine
    engine.check()
    engine.start()
    engine._follower.join(DEADLINE_S)

    with pytest.raises(NotRunningError, match="follower"):
        engine.check()
    assert "the follower of the event log has ended: KeyError at" in caplog.text
    assert "secret" not in caplog.text
    fresh.stop()


def test_a_state_that_cannot_be_opened_keeps_starting_and_says_why(
    fresh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("serve.replica.ArtifactStore", _refuses)
        fresh.replica.engine.step()
        told = fresh.ask("GET", "/health").json()
    assert (told["code"], told["detail"]) == ("starting", "the disk sleeps")
    fresh.catch_up()
    assert fresh.ask("GET", "/health").json()["status"] == "ok"


def test_the_public_health_names_no_path(fresh: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_full(folder: Path = fresh.root.path) -> None:
        raise StoreError(f"{folder} is full")

    fresh.feed = Asking(fresh.feed.log, is_full)
    fresh.restart()
    with monkeypatch.context() as patch:
        patch.setattr("serve.replica.ArtifactStore", is_full)
        fresh.replica.engine.step()
        starting = fresh.ask("GET", "/health", who="").json()
    fresh.replica.engine.step()
    public, known = fresh.ask("GET", "/health", who="").json(), fresh.ask("GET", "/health").json()

    assert starting["detail"] == "the predictor is being loaded"
    assert (public["status"], public["last_error"]) == ("degraded", "")
    assert known["last_error"] == f"{fresh.root.path} is full"


def _refuses(folder: Path) -> None:
    raise StoreError("the disk sleeps", str(folder))
