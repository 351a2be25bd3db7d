"""The laws that every policy keeps, and what the owner's settings change."""

from collections import Counter
from typing import Any, Literal, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selflow.core.errors import UsageError
from selflow.core.settings import RouterSettings
from selflow.route.bandit import Arm, Beliefs, policy_from

POLICIES = get_args(RouterSettings.model_fields["policy"].annotation)
SURFACE = "predict"
Name = Literal["thompson", "epsilon_greedy"]

every_policy = pytest.mark.parametrize("policy", POLICIES)
some_beliefs = st.lists(st.tuples(st.floats(0, 300), st.floats(0, 300)), min_size=1, max_size=12)


def _beliefs(*counts: tuple[float, float]) -> Beliefs:
    return Beliefs(
        0, {SURFACE: {str(i): Arm(wins, losses) for i, (wins, losses) in enumerate(counts)}}
    )


def _p(beliefs: Beliefs, policy: Name, seed: int = 1, **options: Any) -> list[float]:
    arms = list(beliefs.surfaces[SURFACE])
    chosen = policy_from(RouterSettings(policy=policy, **options))
    found = chosen.probabilities(*beliefs.posterior(SURFACE, arms), np.random.default_rng(seed))
    return [float(each) for each in found]


def test_the_suite_found_both_policies() -> None:
    assert set(POLICIES) == {"thompson", "epsilon_greedy"}


@every_policy
@settings(max_examples=20)
@given(some_beliefs, st.floats(0, 0.1))
def test_probabilities_sum_to_one_and_whoever_is_eligible_has_the_floor(
    policy: Name, counts: list[tuple[float, float]], floor: float
) -> None:
    beliefs = _beliefs(*counts)
    p = _p(beliefs, policy, floor=floor)
    bounds = [beliefs.interval(SURFACE, str(i)) for i in range(len(counts))]
    eligible = [high >= max(low for low, _ in bounds) for _, high in bounds]

    assert sum(p) == pytest.approx(1.0, abs=1e-12)
    assert all(
        x >= min(floor, 1 / sum(eligible)) - 1e-12
        for x, may in zip(p, eligible, strict=True)
        if may
    )
    assert all(x == 0.0 for x, may in zip(p, eligible, strict=True) if not may)


@every_policy
def test_the_same_seed_gives_the_same_choices(policy: Name) -> None:
    beliefs, chosen = _beliefs((5, 3), (4, 4), (1, 1)), policy_from(RouterSettings(policy=policy))
    twice = [
        [chosen.choose(beliefs, SURFACE, ["0", "1", "2"], rng) for _ in range(30)]
        for rng in (np.random.default_rng(3), np.random.default_rng(3))
    ]

    assert twice[0] == twice[1]


@every_policy
def test_choosing_changes_no_belief(policy: Name) -> None:
    beliefs = _beliefs((5, 3))
    before = beliefs.state()
    policy_from(RouterSettings(policy=policy)).choose(
        beliefs, SURFACE, ["0", "new"], np.random.default_rng(1)
    )

    assert beliefs.state() == before


@every_policy
def test_the_propensity_is_how_often_an_arm_is_drawn(policy: Name) -> None:
    beliefs, chosen = (
        _beliefs((30, 20), (26, 22), (4, 4)),
        policy_from(RouterSettings(policy=policy)),
    )
    rng, arms, rounds = np.random.default_rng(5), ["0", "1", "2"], 2_000
    choices = [chosen.choose(beliefs, SURFACE, arms, rng) for _ in range(rounds)]
    drawn = Counter(choice.arm for choice in choices)

    for arm in arms:
        stated = np.mean([choice.propensity for choice in choices if choice.arm == arm])
        assert drawn[arm] / rounds == pytest.approx(stated, abs=0.035)


@every_policy
def test_a_choice_says_whether_it_was_the_greedy_one_and_by_which_policy(policy: Name) -> None:
    beliefs, chosen = _beliefs((30, 20), (4, 4)), policy_from(RouterSettings(policy=policy))
    choices = [
        chosen.choose(beliefs, SURFACE, ["1", "0"], np.random.default_rng(seed))
        for seed in range(60)
    ]

    assert {choice.explored for choice in choices} == {True, False}
    assert all(choice.explored == (choice.arm == "1") for choice in choices)
    assert {choice.policy for choice in choices} == {policy}


@every_policy
def test_an_arm_that_is_worse_for_sure_is_shown_to_nobody(policy: Name) -> None:
    p = _p(_beliefs((180, 20), (20, 180), (2, 2)), policy)

    assert p[1] == 0.0
    assert min(p[0], p[2]) > 0.0


@every_policy
def test_an_arm_of_which_nothing_was_heard_can_be_drawn(policy: Name) -> None:
    beliefs, chosen = _beliefs((8, 2)), policy_from(RouterSettings(policy=policy))
    rng = np.random.default_rng(2)
    drawn = {chosen.choose(beliefs, SURFACE, ["0", "new"], rng).arm for _ in range(200)}

    assert drawn == {"0", "new"}


@every_policy
def test_before_anything_was_heard_every_arm_can_be_drawn(policy: Name) -> None:
    chosen, rng = policy_from(RouterSettings(policy=policy)), np.random.default_rng(2)
    drawn = {chosen.choose(Beliefs(), SURFACE, ["0", "new"], rng).arm for _ in range(200)}

    assert drawn == {"0", "new"}


@every_policy
def test_without_an_arm_there_is_no_choice(policy: Name) -> None:
    with pytest.raises(UsageError, match="no arm to choose from"):
        policy_from(RouterSettings(policy=policy)).choose(
            Beliefs(), SURFACE, [], np.random.default_rng(1)
        )


@every_policy
def test_success_on_one_surface_says_nothing_of_the_other(policy: Name) -> None:
    beliefs, chosen = _beliefs((200, 0), (0, 200)), policy_from(RouterSettings(policy=policy))
    drawn = Counter(
        chosen.choose(beliefs, "text", ["0", "1"], np.random.default_rng(seed)).arm
        for seed in range(60)
    )

    assert chosen.choose(
        beliefs, SURFACE, ["0", "1"], np.random.default_rng(1)
    ).propensity == pytest.approx(1.0)
    assert set(drawn) == {"0", "1"}


@pytest.mark.setting("router.policy")
def test_the_policies_differ() -> None:
    beliefs = _beliefs((5, 4), (5, 5))
    thompson, greedy = _p(beliefs, "thompson", floor=0), _p(beliefs, "epsilon_greedy", floor=0)

    assert 0.3 < thompson[1] < 0.5
    assert greedy == pytest.approx([0.95, 0.05])


@pytest.mark.setting("router.epsilon")
def test_epsilon_is_the_share_of_requests_in_which_any_eligible_arm_is_tried() -> None:
    beliefs = _beliefs((5, 4), (5, 5), (180, 1_000))

    assert _p(beliefs, "epsilon_greedy", floor=0, epsilon=0.4) == pytest.approx([0.8, 0.2, 0.0])


@pytest.mark.setting("router.floor")
def test_the_floor_is_given_to_whoever_would_have_less() -> None:
    beliefs = _beliefs((160, 40), (145, 55))
    bare, floored = (_p(beliefs, "thompson", floor=floor) for floor in (0, 0.1))

    assert bare[1] < 0.08
    assert floored[1] == pytest.approx(0.1 + 0.8 * bare[1])
