"""Feedback over HTTP: what it takes, what it refuses, that it is kept for good and teaches once."""

import math
from typing import Any

import pytest

from selflow.store.catalog import Catalog
from selflow.store.outcomes import stored_outcome
from tests.unit.inference.worlds import ROUND, World, context


def rows(world: World) -> list[Any]:
    catalog = Catalog.open(world.root.catalog)
    try:
        return list(catalog.feedback.after(0, 100))
    finally:
        catalog.close()


def test_an_outcome_is_answered_with_the_grade_of_the_decision(world: World) -> None:
    decision = world.predict(top_k=2)
    p = {guess["subject"]: guess["p"] for guess in world.predict(top_k=50)["predictions"]}

    right = world.outcome(decision["decision_id"], ROUND[0])
    second = world.outcome(world.predict()["decision_id"], decision["predictions"][1]["subject"])

    assert right["feedback_id"].startswith("fb_")
    assert (right["hit_at_1"], right["hit_at_5"]) == (True, True)
    assert right["log_loss_bits"] == pytest.approx(-math.log2(p[ROUND[0]]))
    assert (second["hit_at_1"], second["hit_at_5"]) == (False, True)


def test_a_label_that_was_not_listed_has_what_is_left(world: World) -> None:
    left = world.predict(top_k=50)["other_p"]

    graded = world.outcome(world.predict()["decision_id"], "never seen")

    assert (graded["hit_at_1"], graded["hit_at_5"]) == (False, False)
    assert graded["log_loss_bits"] == pytest.approx(-math.log2(max(left, 1e-12)))


def test_a_step_of_many_labels_is_hit_by_any_and_costs_the_mean(world: World) -> None:
    p = {guess["subject"]: guess["p"] for guess in world.predict(top_k=50)["predictions"]}

    graded = world.outcome(world.predict()["decision_id"], ROUND[3], ROUND[0], ROUND[0])

    assert graded["hit_at_1"]
    assert graded["log_loss_bits"] == pytest.approx(
        -(math.log2(p[ROUND[3]]) + math.log2(p[ROUND[0]])) / 2
    )


def test_an_outcome_after_a_context_teaches(world: World) -> None:
    def p_of_new_habit() -> float:
        guesses = world.predict(context=context(world, "make"), top_k=50)["predictions"]
        return float(sum(guess["p"] for guess in guesses if guess["subject"] == "make install"))

    before = p_of_new_habit()
    for _ in range(6):
        asked = world.predict(context=context(world, "make"))
        world.outcome(asked["decision_id"], "make install")

    assert before == 0.0
    assert p_of_new_habit() > 0.2


def test_an_outcome_that_another_process_stored_teaches_with_the_next_events(world: World) -> None:
    catalog = Catalog.open(world.root.catalog)
    for number in range(6):
        asked = world.predict(context=context(world, "make"))
        right = stored_outcome([("shell.command", "make install")], world.feed.last_seq())
        now_us = world.clock.now_us()
        catalog.feedback.record(asked["decision_id"], "outcome", right, {}, now_us, str(number))
    catalog.close()
    world.happen(1)
    world.catch_up()
    guesses = world.predict(context=context(world, "make"), top_k=50)["predictions"]

    assert sum(guess["p"] for guess in guesses if guess["subject"] == "make install") > 0.2


def test_an_outcome_of_the_live_tail_teaches_nothing_twice(world: World) -> None:
    before = world.predict(top_k=50)["predictions"]
    world.outcome(world.predict()["decision_id"], ROUND[2])

    assert world.predict(top_k=50)["predictions"] == before


def test_a_decision_teaches_once(world: World) -> None:
    asked = world.predict(context=context(world, "make"))
    world.outcome(asked["decision_id"], "make install")
    once = world.predict(top_k=50)["predictions"]
    again = world.outcome(asked["decision_id"], "make install")

    assert world.predict(top_k=50)["predictions"] == once
    assert [row.is_superseded for row in rows(world)] == [True, False]
    assert again["feedback_id"] != rows(world)[0].id


def test_the_same_key_is_the_same_feedback(world: World) -> None:
    first, second = world.predict()["decision_id"], world.predict()["decision_id"]
    ids = [
        world.feedback(decision_id, "rating", 5, key="k1").json()["feedback_id"]
        for decision_id in (first, first, second)
    ]

    assert ids[0] == ids[1] != ids[2]
    assert len(rows(world)) == 2


def test_a_dry_run_grades_and_keeps_nothing(world: World) -> None:
    asked = world.predict(context=context(world, "make"))
    before = world.predict(top_k=50)["predictions"]
    labels = [{"kind": "shell.command", "subject": ROUND[0]}]
    answer = world.feedback(asked["decision_id"], "outcome", labels, dryrun=True).json()

    assert answer["feedback_id"] is None
    assert answer["log_loss_bits"] > 0
    assert rows(world) == []
    assert world.predict(top_k=50)["predictions"] == before


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("thumb", True),
        ("accepted", -1),
        ("task_success", False),
        ("rating", 4),
        ("edited", 0.5),
        ("comment", "well said"),
        ("my_own.metric", 0.25),
        ("my_own.metric", True),
    ],
)
def test_each_metric_takes_its_values(shared: World, metric: str, value: object) -> None:
    answer = shared.feedback(
        shared.predict()["decision_id"], metric, value, tags={"surface": "cli"}
    )

    assert answer.status_code == 200
    assert set(answer.json()) == {"feedback_id"}
    kept = rows(shared)[-1]
    assert (kept.metric, kept.value, kept.tags) == (metric, value, {"surface": "cli"})


@pytest.mark.parametrize(
    ("metric", "value", "says"),
    [
        ("thumb", 0, "true, false, 1 or -1"),
        ("thumb", 1.5, "true, false, 1 or -1"),
        ("rating", 6, "a whole number from 1 to 5"),
        ("rating", True, "a whole number from 1 to 5"),
        ("rating", 2.5, "a whole number from 1 to 5"),
        ("edited", 1.01, "a number from 0 to 1"),
        ("edited", True, "a number from 0 to 1"),
        ("comment", 3, "a text of at most 4,096 characters"),
        ("comment", "x" * 4_097, "a text of at most 4,096 characters"),
        ("own", "text", "true, false or a number from 0 to 1"),
        ("own", None, "true, false or a number from 0 to 1"),
        ("outcome", [], "1 to 2,000 labels"),
        ("outcome", "ls", "see the list"),
        ("outcome", [{"kind": "a"}, {"kind": ""}], "see 1.kind"),
        ("outcome", [{"kind": "a", "titel": "b"}], "see 0.titel"),
    ],
)
def test_a_wrong_value_is_refused_and_never_quoted(
    shared: World, metric: str, value: object, says: str
) -> None:
    answer = shared.feedback("dec_1", metric, value)

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
    assert says in answer.json()["detail"]


def test_not_a_number_is_no_value(shared: World) -> None:
    body = b'{"decision_id": "dec_1", "metric_name": "edited", "value": NaN}'

    assert shared.ask("POST", "/v1/feedback", content=body).status_code == 400


@pytest.mark.parametrize(
    "ids", [{}, {"decision_id": "a", "inference_id": "b"}, {"decision_id": "a", "episode_id": "b"}]
)
def test_exactly_one_id_is_needed(shared: World, ids: dict[str, str]) -> None:
    answer = shared.ask("POST", "/v1/feedback", {**ids, "metric_name": "thumb", "value": True})

    assert answer.status_code == 400
    assert "exactly one of decision_id" in answer.json()["field_errors"][0]["msg"]


@pytest.mark.parametrize(
    ("ids", "code"),
    [
        ({"decision_id": "dec_0"}, "decision_not_found"),
        ({"inference_id": "dec_0"}, "decision_not_found"),
        ({"episode_id": "ep_0"}, "episode_not_found"),
    ],
)
def test_an_unknown_id_is_not_found(shared: World, ids: dict[str, str], code: str) -> None:
    answer = shared.ask("POST", "/v1/feedback", {**ids, "metric_name": "thumb", "value": True})

    assert (answer.status_code, answer.json()["code"]) == (404, code)


def test_an_inference_id_is_a_decision_too(shared: World) -> None:
    body = {"inference_id": shared.predict()["decision_id"], "metric_name": "thumb", "value": True}

    assert shared.ask("POST", "/feedback", body).status_code == 200


@pytest.mark.parametrize("dryrun", [True, False])
def test_a_decision_takes_feedback_for_thirty_days(world: World, *, dryrun: bool) -> None:
    decision_id = world.predict()["decision_id"]
    world.clock.advance(30 * 86_400)
    assert world.feedback(decision_id, "thumb", value=True, dryrun=dryrun).status_code == 200
    world.clock.advance(1)
    answer = world.feedback(decision_id, "thumb", value=True, dryrun=dryrun)

    assert (answer.status_code, answer.json()["code"]) == (409, "too_late")


def test_secrets_in_feedback_never_reach_the_catalog(world: World) -> None:
    secret = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    asked = world.predict(context=context(world, "make"))["decision_id"]
    world.feedback(asked, "comment", f"my token is {secret}")
    world.feedback(asked, "thumb", value=True, tags={"correction": secret})
    world.outcome(asked, f"export TOKEN={secret}")

    stored = b"".join(path.read_bytes() for path in world.root.path.glob("catalog.db*"))
    assert secret.encode() not in stored
    assert len(rows(world)) == 3
