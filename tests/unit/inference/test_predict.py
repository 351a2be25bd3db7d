"""Predictions over HTTP: what they hold, what they refuse, and that they outlive the buffer."""

import math

import pytest

from selflow.core.clock import rfc3339
from selflow.core.codec import encode_record
from selflow.core.events import Event
from tests.unit.inference.worlds import ROUND, World, context


def test_the_live_tail_says_what_comes_next(shared: World) -> None:
    answer = shared.predict(top_k=3)

    assert answer["predictions"][0]["subject"] == ROUND[0]
    assert answer["predictions"][0]["kind"] == "shell.command"
    assert len(answer["predictions"]) == 3
    shown = math.fsum(guess["p"] for guess in answer["predictions"])
    assert shown + answer["other_p"] == pytest.approx(1.0)
    assert answer["decision_id"].startswith("dec_")


def test_a_context_is_answered_as_if_it_had_just_happened(shared: World) -> None:
    answer = shared.predict(context=context(shared, ROUND[0], ROUND[1]))

    assert answer["predictions"][0]["subject"] == ROUND[2]


def test_a_context_is_asked_at_its_own_moment(world: World) -> None:
    asked = context(world, ROUND[0], ROUND[1])
    then = world.predict(context=asked, top_k=50)["predictions"]
    world.clock.advance(10 * 86_400 + 7 * 3_600)

    assert world.predict(context=asked, top_k=50)["predictions"] == then


def test_each_prediction_says_who_said_so(shared: World) -> None:
    answer = shared.predict()
    weights = {share["id"]: share["weight"] for share in answer["experts"]}
    said = answer["predictions"][0]["experts"]

    assert math.fsum(weights.values()) == pytest.approx(1.0)
    assert {share["id"] for share in said} <= weights.keys()
    assert said == sorted(said, key=lambda share: -share["weight"])


def test_kinds_filter_the_answer_and_the_rest_is_other(shared: World) -> None:
    everything = shared.predict()
    none = shared.predict(kinds=["file.modify"])
    commands = shared.predict(kinds=["shell.command"])

    assert (none["predictions"], none["other_p"]) == ([], 1.0)
    assert commands["predictions"] == everything["predictions"]


def test_asking_changes_nothing(shared: World) -> None:
    first = shared.predict(top_k=50)
    shared.predict(context=context(shared, "rm -rf build", "ls"))
    again = shared.predict(top_k=50)

    assert again["predictions"] == first["predictions"]
    assert again["decision_id"] != first["decision_id"]


def test_a_secret_in_a_context_never_reaches_the_catalog(world: World) -> None:
    world.predict(
        context=context(
            world, "curl -H 'Authorization: Bearer ghp_abcdefghijklmnopqrstuvwxyz0123456789'"
        )
    )

    stored = b"".join(path.read_bytes() for path in world.root.path.glob("catalog.db*"))
    assert b"ghp_abcdefghij" not in stored


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"horizon": 2}, "horizon"),
        ({"top_k": 0}, "top_k"),
        ({"top_k": 51}, "top_k"),
        ({"top_k": "5"}, "top_k"),
        ({"topk": 5}, "topk"),
        ({"mode": "best"}, "mode"),
        ({"kinds": []}, "kinds"),
        ({"context": []}, "context"),
        ([], "body"),
    ],
)
def test_a_wrong_body_is_refused_by_the_name_of_its_field(
    shared: World, body: object, named: str
) -> None:
    answer = shared.ask("POST", "/v1/predict", body)
    told = answer.json()

    assert (answer.status_code, told["code"]) == (400, "validation_failed")
    assert [field["loc"] for field in told["field_errors"]] == [named]
    assert named in told["detail"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 5_000, b"9" * 9_000 + b"}"])
def test_what_is_not_json_is_refused(shared: World, content: bytes) -> None:
    answer = shared.ask("POST", "/v1/predict", content=content)

    assert answer.status_code == 400
    assert answer.json()["code"] in {"bad_request", "validation_failed"}


def test_an_event_from_the_future_is_refused_by_its_place(shared: World) -> None:
    late = {**context(shared, "pwd")[0], "ts": rfc3339(shared.clock.now_us() + 3_600_000_000)}
    answer = shared.ask("POST", "/v1/predict", {"context": [*context(shared, "ls"), late]})

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
    assert answer.json()["detail"].startswith("context.1: in_future: ts is 3,600 s ahead")


def test_an_unknown_field_of_an_event_is_named(shared: World) -> None:
    events = [context(shared, "ls")[0], {**context(shared, "ls")[0], "titel": "x"}]

    detail = shared.ask("POST", "/v1/predict", {"context": events}).json()["detail"]

    assert detail.startswith("context.1: unknown_field: unknown field 'titel'")


def test_a_body_over_the_limit_is_refused_with_its_size(shared: World) -> None:
    answer = shared.ask("POST", "/v1/predict", content=b" " * 20_001)

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.json()["detail"] == "body of 20,001 bytes; the limit is 20,000"


def test_a_refusal_repeats_no_value(shared: World) -> None:
    answer = shared.ask("POST", "/v1/predict", {"mode": "my plans", "kinds": ["my plans"] * 99})

    assert answer.status_code == 400
    assert "my plans" not in answer.text


def test_answers_go_on_while_the_buffer_is_away(world: World) -> None:
    before = world.predict()["predictions"]
    world.feed.is_away = True
    world.happen(1)
    world.catch_up()
    answer, health = world.predict(), world.ask("GET", "/health")

    assert answer["predictions"][0]["subject"] == before[0]["subject"]
    assert (health.status_code, health.json()["status"]) == (200, "degraded")
    assert health.json()["last_error"] == "the buffer is unavailable (ActorDiedError)"
    world.feed.is_away = False
    world.catch_up()
    assert world.ask("GET", "/health").json() == {
        "status": "ok",
        "version": "0.0.1",
        "config_hash": "abc",
        "lag_events": 0,
        "last_error": "",
    }


def test_before_the_state_is_loaded_everything_says_starting(fresh: World) -> None:
    answers = [
        fresh.ask("GET", "/health"),
        fresh.ask("GET", "/healthz"),
        fresh.ask("POST", "/v1/predict", {}),
        fresh.feedback("dec_1", "thumb", value=True),
    ]

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (503, "starting")
    ] * 4
    assert answers[0].headers["retry-after"] == "1"


def test_a_burst_that_may_still_grow_is_context_already(fresh: World) -> None:
    def burst() -> list[Event]:
        ts_us = fresh.event("").ts_us
        return [Event(ts_us, "files", "file.modify", f"{name}.py") for name in "ab"]

    events = [event for _ in range(12) for event in (*burst(), fresh.event("pytest -q"))]
    fresh.feed.log.append("all", 1, [encode_record(event) for event in (*events, *burst())])
    fresh.catch_up()

    assert fresh.predict()["predictions"][0]["subject"] == "pytest -q"
