"""Agents of a file: whose they are, when they are grown, and what they can know."""

import numpy as np
import pytest

from selflow.core.errors import UsageError
from selflow.core.scores import LabelScores
from selflow.core.steps import Step
from selflow.predict.agents import VersionedExpert
from selflow.predict.evaluate import evaluate_steps
from selflow.predict.prior import shipped
from selflow.predict.regrowth import (
    GROWN_FRACTIONS,
    LEAST_STEPS,
    Answers,
    Grow,
    Growth,
    grow_by_owner,
)

LABELS = tuple(f"job {number}" for number in range(5))


def stream(*users: str, each: int = LEAST_STEPS, seed: int = 1) -> list[Step]:
    """Steps of some users in turn, any label each."""
    rng = np.random.default_rng(seed)
    return [
        Step(index * 1_000_000, (LABELS[rng.integers(len(LABELS))],), users[index % len(users)])
        for index in range(each * len(users))
    ]


def counting(seen: list[Growth] | None = None) -> Grow:
    """Grows an agent that says how often each label came before the growth, and then learns."""

    def grow(growth: Growth) -> list[Answers]:
        if seen is not None:
            seen.append(growth)
        counts, said = np.ones(len(LABELS)), []
        for index, step in enumerate(growth.steps):
            if index >= growth.first:
                p = (counts / counts.sum() * 0.9).astype(np.float32)
                said.append(LabelScores(LABELS, p, 0.1))
            counts[LABELS.index(step.labels[0])] += 1.0
        return [Answers("everything", said)]

    return grow


def scrambled(steps: list[Step], since: int) -> list[Step]:
    """Other labels from a index on; everything before it as it was."""
    return [
        step if index < since else Step(step.ts_us, (LABELS[(index * 7) % 5],), step.user)
        for index, step in enumerate(steps)
    ]


def test_agents_are_grown_at_fixed_points_and_know_nothing_later() -> None:
    seen: list[Growth] = []
    steps = stream("")
    grow_by_owner(steps, counting(seen))
    points = [int(len(steps) * fraction) for fraction in GROWN_FRACTIONS]

    assert [growth.first for growth in seen] == points
    assert [len(growth.steps) for growth in seen] == [*points[1:], len(steps)]
    assert all(list(growth.steps) == steps[: len(growth.steps)] for growth in seen)


def test_agents_are_grown_from_their_owners_steps_alone() -> None:
    seen: list[Growth] = []
    grow_by_owner(stream("ann", "bob"), counting(seen))
    users = [{step.user for step in growth.steps} for growth in seen]

    assert users == [{"ann"}] * 3 + [{"bob"}] * 3
    assert [(growth.owner, growth.owners) for growth in seen] == [(0, 2)] * 3 + [(1, 2)] * 3


def test_an_owner_of_too_few_steps_is_judged_without_agents() -> None:
    ann = stream("ann")
    bob = [Step(step.ts_us + 1, step.labels, "bob") for step in ann[-40:]]
    steps = sorted([*ann, *bob], key=lambda step: step.ts_us)
    seen: list[Growth] = []
    grown = grow_by_owner(steps, counting(seen))
    judged = [step.user for step, counts in zip(steps, grown.is_judged, strict=True) if counts]

    assert {step.user for growth in seen for step in growth.steps} == {"ann"}
    assert (judged.count("ann"), judged.count("bob")) == (LEAST_STEPS // 2, 20)


def test_too_few_steps_of_everybody_are_refused_with_a_next_step() -> None:
    with pytest.raises(UsageError, match="too few to grow agents from") as refused:
        grow_by_owner(stream("ann", "bob", each=LEAST_STEPS - 1), counting())

    assert "leave out --agents" in refused.value.hint


def test_later_steps_change_nothing_that_was_said_before() -> None:
    steps = stream("ann", "bob")
    since = int(len(steps) * 0.8)
    before, after = (
        grow_by_owner(each, counting()).agents[0] for each in (steps, scrambled(steps, since))
    )
    first = len(steps) // 2

    assert isinstance(before, VersionedExpert)
    assert isinstance(after, VersionedExpert)
    for index in range(since - first):
        mine, theirs = before.said_at(index), after.said_at(index)
        assert mine is not None
        assert theirs is not None
        assert mine.p.tobytes() == theirs.p.tobytes()


@pytest.mark.slow
def test_figures_of_a_stream_with_agents_of_two_owners() -> None:
    steps = stream("ann", "bob")
    told: list[tuple[int, int]] = []
    found = evaluate_steps(
        steps,
        mode="all",
        has_users=True,
        prior=shipped(),
        grow=lambda every: grow_by_owner(every, counting()),
        progress=lambda done, of: told.append((done, of)),
    )

    assert list(found)[:2] == ["pool", "pool_counts"]
    assert "agent:everything" in found
    assert {figures["steps"] for figures in found.values()} == {LEAST_STEPS}
    assert told[-1] == (len(steps), len(steps))
