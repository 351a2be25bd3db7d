"""What an arm's past is worth, and that beliefs survive being written down."""

import json

import numpy as np
import pytest
from scipy import stats as scipy_stats

from selflow.route.bandit import Arm, Beliefs


def _heard(rewards: list[float], discount: float = 1.0, latency_s: float = 0.2) -> Arm:
    arm = Arm()
    for i, reward in enumerate(rewards):
        arm.learn(f"dec_{i}/thumb", reward, latency_s, discount)
    return arm


def test_nothing_heard_is_anything_between_nothing_and_always() -> None:
    assert Beliefs().interval("predict", "new") == pytest.approx((0.025, 0.975))


def test_the_interval_is_that_of_the_posterior() -> None:
    beliefs = Beliefs(0, {"predict": {"a": _heard([1.0] * 30 + [0.0] * 10)}})

    assert beliefs.interval("predict", "a") == pytest.approx(
        scipy_stats.beta(31, 11).interval(0.95)
    )


def test_each_word_on_an_arm_makes_its_past_worth_less() -> None:
    arm = _heard([1.0, 1.0, 0.0], discount=0.5)

    assert (arm.wins, arm.losses, arm.pulls) == (0.75, 1.0, 3)


def test_a_part_of_a_success_is_a_part_of_a_win() -> None:
    arm = _heard([0.25])

    assert (arm.wins, arm.losses) == (0.25, 0.75)


def test_a_word_that_replaces_an_earlier_one_takes_back_what_that_one_is_worth_by_now() -> None:
    said = [1.0, 0.0, 1.0, 1.0]
    arm = _heard(said, discount=0.9)
    arm.learn("dec_1/thumb", 1.0, 0.2, 0.9)
    afresh = _heard([1.0] * 4, discount=0.9)

    assert (arm.wins, arm.losses) == pytest.approx((afresh.wins, afresh.losses))
    assert arm.pulls == 4
    arm.learn("dec_1/thumb", 0.0, 0.2, 0.9)
    assert (arm.wins, arm.losses) == pytest.approx(
        (_heard(said, 0.9).wins, _heard(said, 0.9).losses)
    )


def test_only_the_last_hundred_words_can_be_replaced() -> None:
    arm = _heard([1.0] * 101)
    arm.learn("dec_1/thumb", 0.0, 0.2, 1.0)
    arm.learn("dec_0/thumb", 0.0, 0.2, 1.0)

    assert (arm.wins, arm.losses, arm.pulls) == (100.0, 2.0, 102)


def test_latency_is_a_mean_in_which_later_words_count_more() -> None:
    arm, discount = Arm(), 0.9
    waits_s = np.random.default_rng(1).random(150)
    for i, wait_s in enumerate(waits_s):
        arm.learn(str(i), 1.0, float(wait_s), discount)
    weights = discount ** np.arange(150)[::-1]

    assert arm.latency_s == pytest.approx(np.average(waits_s, weights=weights))


def test_beliefs_that_were_written_down_go_on_alike() -> None:
    beliefs = Beliefs(7, {"predict": {"a": _heard([1.0, 0.3], 0.9)}, "text": {"a": _heard([0.0])}})
    again = Beliefs.load_state(json.loads(json.dumps(beliefs.state())))
    for each in (beliefs, again):
        each.surfaces["predict"]["a"].learn("dec_0/thumb", 0.0, 0.1, 0.9)
        each.surfaces["predict"]["a"].learn("dec_9/thumb", 1.0, 0.1, 0.9)

    assert again == beliefs
    assert Beliefs.load_state({}) == Beliefs()


def test_the_summary_names_every_arm_with_its_interval() -> None:
    beliefs = Beliefs(0, {"text": {"base": _heard([1.0, 0.0])}, "predict": {"pool": _heard([1.0])}})
    rows = beliefs.summary()

    assert [(row["surface"], row["arm"], row["pulls"]) for row in rows] == [
        ("predict", "pool", 1),
        ("text", "base", 2),
    ]
    assert rows[0]["success"] == pytest.approx(2 / 3)
    assert (rows[0]["low"], rows[0]["high"]) == beliefs.interval("predict", "pool")
    assert json.loads(json.dumps(rows)) == rows
