"""What the rankers say of labels outside of their candidates, and what crosses add."""

import numpy as np
import pytest

from selflow.core.steps import Step
from selflow.predict.crosses import Crosses
from selflow.predict.experts import View
from selflow.predict.forecast import Forecast, Outcome
from selflow.predict.grades import Board
from selflow.predict.predictor import Predictor
from selflow.predict.prior import shipped
from selflow.predict.table import Floats
from selflow.predict.vocabulary import Vocabulary
from selflow.testing.streams import at, other_steps, single

LABELS = tuple(f"dir{i % 7}/file{i}.py" for i in range(320))


def many_labels(seed: int, steps: int) -> list[Step]:
    """Each label once, eight at a time, then steps of three labels each."""
    rng = np.random.default_rng(seed)
    first = [LABELS[i : i + 8] for i in range(0, len(LABELS), 8)]
    drawn = [tuple(LABELS[i] for i in rng.permutation(len(LABELS))[:3]) for _ in range(steps)]
    return [Step(at(i), labels) for i, labels in enumerate([*first, *drawn])]


def learned(steps: list[Step]) -> Predictor:
    predictor = Predictor(prior=shipped())
    for step in steps:
        predictor.learn(step)
    return predictor


def forecast_of(state: bytes, labels: tuple[str, ...]) -> tuple[Forecast, Outcome]:
    return Predictor.load(state).test_then_train(Step(at(90), labels))


def rankers_p(predictor: Predictor, forecast: Forecast, outcome: Outcome) -> Floats:
    rows = [predictor.expert_names.index(name) for name in ("ranker", "ranker_any")]
    p: Floats = forecast.p[rows][:, forecast.indices(outcome.known)]
    return p


@pytest.mark.slow
def test_labels_outside_of_the_candidates_complete_a_whole_distribution() -> None:
    predictor = learned(many_labels(1, 30))
    forecast, outcome = forecast_of(predictor.save(), (*LABELS, "never seen"))
    known = forecast.indices(outcome.known)

    assert len(outcome.known) - forecast.n > 200  # more than get a probability of their own
    assert forecast.p[:, known].sum(axis=1) + forecast.p_new == pytest.approx(1.0, abs=1e-9)
    assert forecast.pool[known].sum() + forecast.pool_new == pytest.approx(1.0, abs=1e-9)
    assert rankers_p(predictor, forecast, outcome).min() > 0.0


@pytest.mark.slow
def test_whom_else_one_asks_for_changes_no_probability() -> None:
    predictor = learned(many_labels(2, 30))
    state = predictor.save()
    whole = rankers_p(predictor, *forecast_of(state, LABELS))
    for i in (0, 150, 319):
        alone = rankers_p(predictor, *forecast_of(state, LABELS[i : i + 1]))

        assert alone[:, 0].tolist() == pytest.approx(whole[:, i].tolist(), rel=1e-12)


@pytest.mark.slow
def test_a_label_that_is_due_is_likelier_than_its_count_says_also_among_the_many() -> None:
    """Each of 120 labels comes once before any comes again: what came last is least likely."""
    rng = np.random.default_rng(3)
    rounds = [f"r{i}" for _ in range(6) for i in rng.permutation(120).tolist()]
    predictor = Predictor(prior=shipped())
    board = Board(predictor.expert_names)
    for i, step in enumerate(single(rounds)):
        forecast, outcome = predictor.test_then_train(step)
        # Late in each round is beyond what candidates can tell
        if i >= 360 and not set(forecast.indices(outcome.known)) & {*range(forecast.n)}:
            board.add(forecast, outcome)
    bits = {name: float(figures["log_loss_bits"]) for name, figures in board.figures().items()}
    others = {name: bits[name] for name in bits if not name.startswith("ranker")}

    assert bits["ranker"] < min(others.values()) - 0.5


@pytest.mark.slow
@pytest.mark.parametrize("known", [55, 70])
def test_the_many_labels_know_no_future(known: int) -> None:
    stream = many_labels(4, 60)
    grades, states = [], []
    for steps in (stream, other_steps(stream, known, seed=5)):
        predictor = Predictor(prior=shipped())
        grades.append([predictor.learn(step) for step in steps[:known]])
        states.append(predictor.save())

    assert grades[0] == grades[1]
    assert states[0] == states[1]


@pytest.mark.slow
def test_a_saved_predictor_of_many_labels_goes_on_bit_for_bit() -> None:
    stream = many_labels(6, 50)
    one = learned(stream[:70])
    other = Predictor.load(one.save())

    assert [one.learn(step) for step in stream[70:]] == [other.learn(step) for step in stream[70:]]
    assert one.save() == other.save()


def view_after(label_id: int, vocabulary: Vocabulary, user: int = 0) -> View:
    return View(user, at(9), ((label_id,),), (label_id,), vocabulary, (at(8),))


def crossed(rounds: int) -> tuple[Crosses, Vocabulary]:
    """After label 0 comes 2, after label 1 comes 3; the rankers take both for equally likely."""
    vocabulary, crosses = Vocabulary(10), Crosses()
    ids = np.array([vocabulary.use(f"l{i}") for i in range(4)])
    for i in range(2 * rounds):
        crossing = crosses.cross(np.full((2, 5), 0.2), ids, view_after(i % 2, vocabulary))
        crosses.learn(crossing, np.array([2 + i % 2]), 1)
    return crosses, vocabulary


def after(crosses: Crosses, vocabulary: Vocabulary, label_id: int, user: int = 0) -> list[float]:
    view = view_after(label_id, vocabulary, user)
    p: list[float] = crosses.cross(np.full((2, 5), 0.2), np.arange(4), view).p[0].tolist()
    return p


def test_crosses_learn_in_which_context_the_rankers_err() -> None:
    crosses, vocabulary = crossed(60)
    one, other = (after(crosses, vocabulary, label_id) for label_id in (0, 1))

    assert sum(one) == pytest.approx(1.0)
    assert min(one[2], other[3]) > 0.4
    assert max(one[3], other[2]) < 0.2
    assert after(crosses, vocabulary, 0, user=1) == [0.2] * 5


def test_crosses_that_were_saved_answer_alike() -> None:
    crosses, vocabulary = crossed(20)
    loaded = Crosses()
    loaded.load_state(crosses.state())

    assert after(loaded, vocabulary, 0) == after(crosses, vocabulary, 0)
    assert loaded.state() == crosses.state()


def test_a_forgotten_label_leaves_no_cross_behind() -> None:
    crosses, vocabulary = crossed(20)
    crosses.forget(frozenset({2}))
    p = after(crosses, vocabulary, 0)

    assert p[2] == p[-1] != p[3]  # as what lies outside, which has no cross


def test_a_forgotten_context_leaves_no_cross_behind() -> None:
    crosses, vocabulary = crossed(20)
    stranger = after(crosses, vocabulary, 9)
    crosses.forget(frozenset({0}))
    p, other = (after(crosses, vocabulary, label_id) for label_id in (0, 1))

    assert p[2] / p[-1] == pytest.approx(stranger[2] / stranger[-1])
    assert other[2] / other[-1] < 0.9 * p[2] / p[-1]
