"""Feedback becomes belief: in order, once, and only where it was a choice."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selflow.core.settings import RouterSettings
from selflow.route.bandit import Arm, Beliefs
from selflow.route.learner import learn
from tests.unit.route.worlds import Said, said

SETTINGS = RouterSettings()
some_words = st.lists(
    st.builds(
        Said,
        number=st.integers(1, 1_000),
        value=st.booleans(),
        arm=st.sampled_from("ab"),
        decision_id=st.sampled_from("xyz"),
        latency_s=st.floats(0, 2),
    ),
    max_size=30,
    unique_by=lambda word: word.number,
)


def _arm(*words: Said, surface: str = "predict", **options: Any) -> Arm:
    return learn(Beliefs(), words, RouterSettings(**options)).surfaces[surface]["a"]


def test_a_word_is_learned_by_the_arm_that_answered_on_its_surface() -> None:
    beliefs = learn(
        Beliefs(), [said(1), said(2, arm="b", value=False), said(3, surface="text")], SETTINGS
    )

    assert {
        (s, name): (arm.wins, arm.losses)
        for s, arms in beliefs.surfaces.items()
        for name, arm in arms.items()
    } == {
        ("predict", "a"): (1.0, 0.0),
        ("predict", "b"): (0.0, 1.0),
        ("text", "a"): (1.0, 0.0),
    }
    assert beliefs.feedback_number == 3


@given(some_words, st.integers(0, 30))
def test_neither_order_nor_portions_nor_repetition_make_a_difference(
    words: list[Said], cut: int
) -> None:
    words = sorted(words, key=lambda word: word.number)
    whole = learn(Beliefs(), words, SETTINGS)
    portions = learn(
        learn(Beliefs(), words[:cut][::-1], SETTINGS), words[max(0, cut - 3) :], SETTINGS
    )

    assert learn(Beliefs(), words[::-1], SETTINGS) == whole
    assert portions == whole


def test_feedback_that_comes_again_is_learned_once() -> None:
    up, down = said(1, decision_id="x"), said(2, decision_id="x", value=False)
    beliefs = learn(Beliefs(), [up, down], SETTINGS)

    assert learn(beliefs, [up], SETTINGS) == beliefs


def test_what_was_believed_before_stays_as_it_was() -> None:
    before = learn(Beliefs(), [said(1)], SETTINGS)
    kept = before.state()
    learn(before, [said(2), said(3, decision_id="dec_1", value=False)], SETTINGS)

    assert before.state() == kept


def test_a_named_arm_was_no_choice_and_a_comment_is_no_reward_but_both_are_behind_us() -> None:
    beliefs = learn(
        Beliefs(), [said(1, is_forced=True), said(2, metric="comment", value="good")], SETTINGS
    )

    assert beliefs == Beliefs(feedback_number=2)


def test_a_later_value_for_the_same_decision_and_metric_replaces_the_earlier_one() -> None:
    up = said(1, decision_id="x")
    down = said(2, decision_id="x", value=False)
    rating = said(3, decision_id="x", metric="rating", value=5)

    assert (_arm(up, down).wins, _arm(up, down).losses, _arm(up, down).pulls) == (0.0, 1.0, 1)
    assert _arm(up, rating).pulls == 2


def test_an_outcome_is_graded_by_what_the_decision_said() -> None:
    predictions = [{"kind": "file.modify", "subject": name, "p": 0.1} for name in "abc"]
    words = [
        said(
            i,
            metric="outcome",
            value={"labels": [["file.modify", name]], "after_seq": 1},
            predictions=predictions,
        )
        for i, name in enumerate("acz", 1)
    ]

    assert [_arm(word).wins for word in words] == [1.0, 0.5, 0.0]


def test_an_answer_that_was_corrected_is_worth_nothing_however_much_was_kept() -> None:
    assert _arm(said(1, metric="edited", value=0.8)).wins == pytest.approx(0.8)
    assert _arm(said(1, metric="edited", value=0.8, tags={"correction": "so"})).wins == 0.0


def test_latency_and_length_come_from_the_decision() -> None:
    arm = _arm(said(1, latency_s=0.5, tokens=100))

    assert arm.wins == pytest.approx(1 - 0.05 - 0.02)
    assert arm.latency_s == 0.5


@pytest.mark.setting("router.metrics")
def test_an_own_metric_trains_only_if_it_is_named() -> None:
    word = said(1, metric="tests_green", value=True)

    assert learn(Beliefs(), [word], SETTINGS).surfaces == {}
    assert _arm(word, metrics=("tests_green",)).wins == 1.0


@pytest.mark.setting("router.discount")
def test_the_discount_is_paid_per_word_on_that_arm_only() -> None:
    words = [said(1), *(said(i, arm="b") for i in range(2, 12)), said(12)]

    assert _arm(*words, discount=0.8).wins == pytest.approx(1.8)
    assert _arm(*words, discount=1).wins == 2.0


def test_a_new_version_inherits_half_of_what_its_arm_was_heard_of() -> None:
    old = [said(number, version="v1", value=number % 4 > 0) for number in range(1, 41)]
    beliefs = learn(Beliefs(), old, RouterSettings(discount=1.0))

    assert beliefs.posterior("predict", {"a": "v1"}) == ([31.0], [11.0])
    assert beliefs.posterior("predict", {"a": "v2"}) == ([16.0], [6.0])
    more = learn(beliefs, [said(41, version="v2"), said(42, version="v1")], SETTINGS)
    assert more.posterior("predict", {"a": "v2"})[0][0] == pytest.approx(1 + 1 + 31 / 2, abs=0.4)


def test_after_a_rollback_a_version_has_its_own_evidence_again() -> None:
    words = [said(n, version="v1") for n in range(1, 11)]
    words += [said(n, version="v2", value=False) for n in range(11, 21)]
    beliefs = learn(Beliefs(), words, RouterSettings(discount=1.0))

    assert beliefs.posterior("predict", {"a": "v1"}) == ([11.0], [6.0])
    assert beliefs.posterior("predict", {"a": "v2"}) == ([6.0], [11.0])
    assert beliefs.posterior("predict", ["a"]) == ([11.0], [11.0])


def test_a_word_that_is_taken_back_is_taken_from_its_version() -> None:
    words = [said(1, version="v1", decision_id="x"), said(2, version="v2")]
    words.append(said(3, version="v1", decision_id="x", value=False))
    beliefs = learn(Beliefs(), words, RouterSettings(discount=1.0))

    assert beliefs.posterior("predict", {"a": "v1"}) == ([1.5], [2.0])
