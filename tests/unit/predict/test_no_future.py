"""Whatever was said, graded or saved by a moment stays bit for bit the same when all that is later
is scrambled.
"""

import pytest

from selflow.core.steps import Step
from selflow.predict.baselines import Baselines
from selflow.predict.evaluate import evaluate_rows, evaluate_steps
from selflow.predict.grades import Grade, Tally
from selflow.predict.predictor import Prediction, Predictor
from selflow.predict.prior import shipped
from selflow.predict.steps import StepBuilder, steps_from_rows, switches
from selflow.testing.streams import other_steps, work
from tests.unit.predict.worlds import events, noise, other_events, rows_of

USERS = ("ann", "bob")
KNOWN = 22
STREAM = work(11, 36, USERS)
OTHER = other_steps(STREAM, KNOWN, seed=11)


def test_the_future_is_really_another() -> None:
    assert STREAM[:KNOWN] == OTHER[:KNOWN]
    assert STREAM[KNOWN] != OTHER[KNOWN]
    assert {label for s in STREAM for label in s.labels} == {
        label for s in OTHER for label in s.labels
    }


def _past(steps: list[Step]) -> tuple[list[tuple[Prediction, Grade]], bytes]:
    predictor = Predictor(is_shared=True, prior=shipped())
    said: list[tuple[Prediction, Grade]] = []
    state = b""
    for i, step in enumerate(steps):
        if i == KNOWN:
            state = predictor.save()
        ts_us = STREAM[min(i, KNOWN - 1)].ts_us
        said.append((predictor.predict(None, ts_us, 5), predictor.learn(step)))
    return said[:KNOWN], state


def test_the_predictor_knows_no_future() -> None:
    assert _past(STREAM) == _past(OTHER)


def test_the_simple_rules_know_no_future() -> None:
    graded = []
    for steps in (STREAM, OTHER):
        rules = Baselines()
        graded.append([rules.test_then_train(step) for step in steps][:KNOWN])

    assert graded[0] == graded[1]


def test_rows_and_switches_know_no_future() -> None:
    made = [switches(steps_from_rows(rows_of(steps))) for steps in (STREAM, OTHER)]
    until_us = STREAM[KNOWN - 1].ts_us
    past = [[step for step in steps if step.ts_us <= until_us] for steps in made]

    assert past[0] == past[1]
    assert len(past[0]) > KNOWN // 2


@pytest.mark.parametrize("known", [10, 50, 90])
def test_bursts_know_no_future(known: int) -> None:
    stream = events(12, 120)
    one, other = StepBuilder(), StepBuilder()
    seen = [
        [(builder.feed(event), builder.open_steps(), builder.save()) for event in fed][:known]
        for builder, fed in ((one, stream), (other, other_events(stream, known, seed=12)))
    ]

    assert seen[0] == seen[1]


@pytest.mark.parametrize("mode", ["all", "switch"])
def test_evaluation_is_the_sum_of_test_then_train(mode: str) -> None:
    """So what evaluation says of a stream's beginning cannot depend on its end either."""
    is_switch = mode == "switch"
    predictor = Predictor(is_shared=True, bars_current=is_switch, prior=shipped())
    rules = Baselines(bars_current=is_switch)
    pool, markov = Tally(), Tally()
    steps = steps_from_rows(rows_of(STREAM))
    for step in switches(steps) if is_switch else steps:
        pool.add(predictor.learn(step))
        markov.add(rules.test_then_train(step)["markov1"])
    experts = evaluate_rows(rows_of(STREAM), mode="switch" if is_switch else "all", has_users=True)[
        "experts"
    ]

    assert experts["pool"] == pool.figures()
    assert experts["markov1"] == markov.figures()


def test_nobody_foresees_noise() -> None:
    found = evaluate_steps(noise(13, 160, labels=8), mode="all", has_users=False, prior=shipped())

    # The outcome costs 3 bits
    assert min(float(figures["log_loss_bits"]) for figures in found.values()) > 2.9
    assert max(float(figures["hit@1"]) for figures in found.values()) < 0.25  # .125, spread .025
