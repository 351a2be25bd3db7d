"""With and without: the same pool, the same steps, begun in the same state."""

from collections.abc import Sequence

import numpy as np
import pytest

from selflow.core.errors import ShapeError, UsageError
from selflow.core.steps import Step
from selflow.predict.evaluate import evaluate_rows, evaluate_steps
from selflow.predict.grades import Tally
from selflow.predict.paired import PairedBaseline
from selflow.predict.predictor import Predictor
from selflow.predict.prior import shipped
from selflow.predict.regrowth import Grown
from selflow.testing.streams import single, work
from tests.unit.predict.agents import knowing, recorded
from tests.unit.predict.worlds import noise, rows_of

LABELS = [f"n{i}" for i in range(8)]
STREAM = noise(1, 100, len(LABELS))
PAST, GATE = STREAM[:60], STREAM[60:]


def test_a_replay_is_what_the_predictor_would_have_done() -> None:
    pool, plain = (
        PairedBaseline.learn(PAST, alpha=0.03, prior=shipped()),
        Predictor(alpha=0.03, prior=shipped()),
    )
    for step in PAST:
        plain.learn(step)
    plain.enter(knowing(GATE, LABELS))

    assert pool.replay(GATE, [knowing(GATE, LABELS)]) == Tally([plain.learn(step) for step in GATE])


def test_a_replay_changes_nothing_and_can_be_tried_again_elsewhere() -> None:
    pool, agent = PairedBaseline.learn(PAST), knowing(GATE, LABELS)
    first = pool.replay(GATE, [agent])
    without = pool.replay(GATE)

    assert PairedBaseline.load(pool.save()).replay(GATE, [agent]) == first
    assert pool.replay(GATE) == without
    with pytest.raises(ShapeError, match="3 bytes are not a saved state"):
        PairedBaseline.load(b"abc").replay(GATE)


def test_outcomes_are_one_number_per_step() -> None:
    tally = PairedBaseline.learn(PAST).replay(GATE, [knowing(GATE, LABELS)])
    bits, hit_at_5, confidence, outcome = tally.outcomes()

    assert {part.shape for part in tally.outcomes()} == {(len(GATE),)}
    assert hit_at_5.dtype == np.bool_
    assert bits.tolist() == [grade.log_loss_bits for grade in tally.grades]
    assert confidence.mean() == pytest.approx(np.mean([grade.confidence for grade in tally.grades]))
    assert outcome.mean() == tally.figures()["hit@1"]
    assert Tally().figures() == {
        "steps": 0,
        "hit@1": 0.0,
        "hit@5": 0.0,
        "log_loss_bits": 0.0,
        "ece": 0.0,
    }


def test_an_agent_that_knows_saves_bits_and_one_that_guesses_costs_none() -> None:
    pool = PairedBaseline.learn(PAST)
    without, knows, guesses = (
        pool.replay(GATE, agents).outcomes()[0].mean()
        for agents in ((), [knowing(GATE, LABELS)], [recorded()])
    )

    assert knows < without - 0.5
    assert guesses <= without + 0.01


def test_an_evaluation_with_agents_judges_everybody_where_they_enter() -> None:
    stream = work(2, 40)
    told: list[int] = []
    found = evaluate_steps(
        stream,
        mode="all",
        has_users=False,
        prior=shipped(),
        grow=lambda steps: Grown([index >= 25 for index in range(len(steps))], [recorded(15)]),
        progress=lambda done, _: told.append(done),
    )
    counts = Predictor(prior=shipped())
    tally = Tally([counts.learn(step) for step in stream][25:])

    assert list(found)[:2] == ["pool", "pool_counts"]
    assert "agent:tape" in found
    assert {figures["steps"] for figures in found.values()} == {15}
    assert found["pool_counts"] == tally.figures()
    assert found["pool"] != found["pool_counts"]
    assert told == [40]


def test_agents_are_grown_from_the_steps_that_are_judged() -> None:
    seen: list[int] = []

    def grow(steps: Sequence[Step]) -> Grown:
        seen.append(len(steps))
        return Grown([True] * len(steps), [])

    found = evaluate_rows(rows_of(single(["a", "a", "b", "b"])), mode="switch", grow=grow)
    with pytest.raises(UsageError):
        evaluate_rows([], grow=grow)

    assert seen == [2]
    assert found["experts"]["pool_counts"] == found["experts"]["pool"]
