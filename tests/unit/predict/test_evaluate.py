"""The contract of an evaluation, and worlds in which the outcome about prediction is known."""

from copy import deepcopy
from dataclasses import replace

import pytest

from selflow.core.errors import ShapeError, UsageError
from selflow.core.steps import Step
from selflow.predict import evaluate
from selflow.predict.baselines import NAMES, Baselines
from selflow.predict.evaluate import Figures, evaluate_rows, evaluate_steps
from selflow.predict.grades import EverSeen
from selflow.predict.predictor import Predictor
from selflow.predict.prior import decode_prior, encode_prior, shipped
from selflow.predict.steps import switches
from selflow.testing.streams import at, single, work
from tests.unit.predict.worlds import entropy_bits, new_habit, rows_of, second_order


def _bits(figures: Figures) -> dict[str, float]:
    return {name: float(of["log_loss_bits"]) for name, of in figures.items()}


def test_the_simple_rules_are_those_that_are_published() -> None:
    assert NAMES == ("most_frequent", "most_recent", "markov1", "markov2", "ipam", "rrf")
    assert tuple(Baselines().test_then_train(single(["a"])[0])) == NAMES


@pytest.mark.parametrize("bars_current", [False, True])
def test_every_simple_rule_gives_a_whole_distribution(bars_current: bool) -> None:  # noqa: FBT001
    stream = work(1, 60, ("ann", "bob"))
    stream = switches(stream) if bars_current else stream
    rules = Baselines(bars_current=bars_current)
    for step in stream:
        rules.test_then_train(step)
    last = {label for step in stream if step.user == "ann" for label in step.labels} & set(
        next(step for step in reversed(stream) if step.user == "ann").labels if bars_current else ()
    )
    known = [y for y in dict.fromkeys(y for step in stream for y in step.labels) if y not in last]
    grades = [
        deepcopy(rules).test_then_train(Step(at(60), (label,), "ann"))
        for label in [*known, "never seen"]
    ]

    for name in NAMES:
        assert sum(2.0 ** -grade[name].log_loss_bits for grade in grades) == pytest.approx(
            1.0, abs=1e-6
        )


def test_an_evaluation_has_the_published_shape() -> None:
    told: list[tuple[int, int]] = []
    found = evaluate_rows(rows_of(work(2, 12)), progress=lambda done, of: told.append((done, of)))

    assert found.keys() == {"experts"}
    assert list(found["experts"])[:7] == ["pool", *NAMES]
    assert set(found["experts"]) == {"pool", *NAMES, *Predictor().expert_names}
    assert told == [(12, 12)]
    for figures in found["experts"].values():
        assert set(figures) == {"steps", "hit@1", "hit@5", "log_loss_bits", "ece"}
        assert figures["steps"] == 12
        assert 0.0 <= figures["hit@1"] <= figures["hit@5"] <= 1.0
        assert 0.0 <= figures["ece"] <= 1.0


def test_the_order_of_the_rows_does_not_matter() -> None:
    rows = [(at(i), f"x{i % 3}", None, "") for i in range(12)]

    assert evaluate_rows(rows[::-1]) == evaluate_rows(rows)


def test_the_simple_rules_say_the_same_in_a_process_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = evaluate_rows(rows_of(work(3, 30)))
    monkeypatch.setattr(evaluate, "_BESIDE_STEPS", 30)
    monkeypatch.setattr(Baselines, "test_then_train", None)  # nobody can ask them here

    assert evaluate_rows(rows_of(work(3, 30))) == alone


def test_of_shell_lines_only_the_program_may_count() -> None:
    lines = [(at(i), f"sudo git commit -m {i}", None, "") for i in range(8)]
    programs = [(ts_us, "git", group, user) for ts_us, _, group, user in lines]

    assert evaluate_rows(lines, program=True) == evaluate_rows(programs, program=True)
    assert evaluate_rows(lines) != evaluate_rows(programs)


def test_each_user_has_an_own_past() -> None:
    """Two rings run against each other; whoever mixes the users up cannot tell the direction."""
    rings = {"ann": "abcdefgh", "bob": "hgfedcba"}
    rows = [
        (at(i), rings[user][i // 2 % 8], None, user)
        for i in range(70)
        for user in [("ann", "bob")[i % 2]]
    ]
    found = evaluate_rows(rows, has_users=True)["experts"]

    assert float(found["order1.100"]["hit@1"]) > 0.65
    assert float(found["pool"]["hit@1"]) > 0.65


def test_nothing_cannot_be_evaluated() -> None:
    with pytest.raises(UsageError, match="the stream holds no events"):
        evaluate_rows([])


def test_where_order_matters_and_habits_change_the_pool_beats_every_simple_rule() -> None:
    bits = _bits(evaluate_steps(new_habit(4, 240), mode="all", has_users=False, prior=shipped()))

    assert bits["pool"] < min(bits[name] for name in NAMES)
    assert bits["pool"] < bits["markov1"] - 0.3  # a count that never fades keeps the old habit
    assert bits["order1.20"] < bits["order1.1000"]


def test_in_a_world_of_second_order_nobody_beats_the_truth_and_order_two_comes_near() -> None:
    bits = _bits(evaluate_steps(second_order(3, 250), mode="all", has_users=False, prior=shipped()))
    outcome = entropy_bits(0.9, 6)

    assert outcome < min(bits.values())
    assert bits["pool"] < outcome + 0.8
    assert bits["order2.1000"] < bits["order1.1000"] - 0.5
    assert bits["markov2"] < bits["markov1"] - 0.5


def test_a_prior_survives_its_file() -> None:
    assert decode_prior(encode_prior(shipped())) == replace(shipped(), programs={})
    with pytest.raises(ShapeError, match="3 bytes are not a saved state"):
        decode_prior(b"abc")


@pytest.mark.slow
def test_a_forgotten_label_is_graded_as_known_not_as_new() -> None:
    ring = single([f"r{i % 200}" for i in range(600)])

    figures = evaluate_steps(ring, mode="all", has_users=False, prior=None, max_labels=50)

    # All 200 labels came before, and the pool knows 50 at most: one of 150 others is 7 bits.
    assert figures["pool"]["log_loss_bits"] > 5.0
    assert figures["recency"]["log_loss_bits"] > 5.0


def test_probabilities_of_forgotten_labels_and_new_sum_to_one() -> None:
    seen = EverSeen()
    seen.learn(["a", "b", "c"], ["a", "b", "c"])
    seen.learn(["d"], ["d"])
    seen.learn(["a"], ["a"])  # forgotten in the meantime

    known = 2
    forgotten, new = (2.0 ** -seen.extra_bits([label], known) for label in ("b", "never"))

    assert 2 * forgotten + new == pytest.approx(1.0)
    assert seen.extra_bits(["never"], 4) == 0.0
