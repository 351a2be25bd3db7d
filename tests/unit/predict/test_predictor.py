"""The predictor as its callers see it: whole distributions, a state that can be saved, asking that
changes nothing.
"""

import pytest

from selflow.core.errors import ShapeError, UsageError
from selflow.core.steps import Step
from selflow.predict.counts import ORDER0, CountExperts
from selflow.predict.grades import Board, grade_pool
from selflow.predict.predictor import Predictor
from selflow.predict.prior import shipped
from selflow.predict.steps import switches
from selflow.testing.streams import MINUTE_US, at, single, work
from tests.unit.predict.worlds import noise

USERS = ("ann", "bob")
ROUND = single(["edit", "test", "commit", "push"] * 12)


def learned(steps: list[Step], *, is_shared: bool = False, bars_current: bool = False) -> Predictor:
    predictor = Predictor(prior=shipped(), is_shared=is_shared, bars_current=bars_current)
    for step in steps:
        predictor.learn(step)
    return predictor


def chances(
    predictor: Predictor, labels: list[str], ts_us: int, user: str = ""
) -> dict[str, list[float]]:
    """By expert, its probability of each label as the next step: what a copy that learns it is
    charged for it.
    """
    found: dict[str, list[float]] = {"pool": []}
    state = predictor.save()
    for label in labels:
        step = Step(ts_us, (label,), user)
        forecast, outcome = Predictor.load(state).test_then_train(step)
        found["pool"].append(2.0 ** -grade_pool(forecast, outcome).log_loss_bits)
        board = Board(predictor.expert_names)
        board.add(forecast, outcome)
        for name, figures in board.figures().items():
            found.setdefault(name, []).append(2.0 ** -figures["log_loss_bits"])
    return found


@pytest.mark.parametrize("known", [0, 1, 40])
def test_everybody_gives_the_known_labels_and_new_a_whole_distribution(known: int) -> None:
    stream = work(1, known, USERS)
    labels = [*dict.fromkeys(label for step in stream for label in step.labels), "never seen"]
    found = chances(learned(stream, is_shared=True), labels, at(known), "ann")

    assert found.keys() >= {"pool", "order1.100", "shared_order1.100", "recency", "ranker"}
    assert {name: sum(p) for name, p in found.items()} == pytest.approx(
        dict.fromkeys(found, 1.0), abs=1e-6
    )


@pytest.mark.slow
def test_a_label_that_is_no_candidate_has_its_part_too() -> None:
    labels = [f"file{i}" for i in range(72)]
    predictor = learned([Step(at(i), tuple(labels[i : i + 9])) for i in range(0, 72, 9)])
    answer = predictor.predict(None, at(100), 72)
    listed = {guess.label for guess in answer.guesses}
    p = chances(
        predictor, [*(label for label in labels if label not in listed), "never seen"], at(100)
    )["pool"]

    assert len(p) > 1
    assert min(p) > 0.0
    assert sum(p) == pytest.approx(answer.other_p)
    assert p[-1] == pytest.approx(answer.new_p)


def test_an_answer_says_who_said_so_and_sums_to_one() -> None:
    answer = learned(ROUND).predict(None, at(48), 3)

    assert [guess.label for guess in answer.guesses][:1] == ["edit"]
    assert sum(guess.p for guess in answer.guesses) + answer.other_p == pytest.approx(1.0)
    assert 0.0 <= answer.new_p <= answer.other_p
    assert sum(weight for _, weight in answer.experts) == pytest.approx(1.0)
    assert all(0.0 < part <= 1.0 for guess in answer.guesses for _, part in guess.experts)


def test_knowing_nothing_it_says_that_anything_new_may_come() -> None:
    answer = Predictor().predict(None, 0, 5)

    assert (answer.guesses, answer.other_p) == ((), 1.0)
    assert answer.new_p == pytest.approx(1.0)


def test_a_step_is_graded_by_the_answer_given_before_it() -> None:
    predictor = Predictor()
    for step in work(2, 40):
        answer = predictor.predict(None, step.ts_us, 20)
        named = [guess.label for guess in answer.guesses]
        grade = predictor.learn(step)

        assert grade.hit_at_1 == any(label in step.labels for label in named[:1])
        assert grade.hit_at_5 == any(label in step.labels for label in named[:5])
        assert grade.confidence == (answer.guesses[0].p if named else 0.0)
        if len(step.labels) == 1 and step.labels[0] in named:
            p = answer.guesses[named.index(step.labels[0])].p
            assert 2.0**-grade.log_loss_bits == pytest.approx(p)


@pytest.mark.parametrize(
    "settings", [{"is_shared": True}, {"bars_current": True}], ids=lambda value: next(iter(value))
)
def test_a_saved_predictor_goes_on_bit_for_bit(settings: dict[str, bool]) -> None:
    stream = switches(work(3, 45, USERS))
    one = learned(stream[:30], **settings)
    other = Predictor.load(one.save())

    assert other.save() == one.save()
    for step in stream[30:]:
        assert other.predict(None, step.ts_us, 5) == one.predict(None, step.ts_us, 5)
        assert other.learn(step) == one.learn(step)
    assert other.save() == one.save()


def test_the_same_stream_gives_the_same_state() -> None:
    stream = work(4, 25, USERS)

    assert learned(stream).save() == learned(stream).save()


def test_asking_changes_nothing() -> None:
    predictor = learned(work(5, 30, USERS))
    before = predictor.save()
    contexts = [
        None,
        [],
        [Step(at(31), ("src/part0/file0.py",), "ann")],
        [Step(at(31), ("never",), "stranger")],
    ]
    first = [predictor.predict(context, at(32), 5) for context in contexts]

    assert predictor.save() == before
    assert [predictor.predict(context, at(32), 5) for context in contexts] == first


def test_a_context_stands_for_the_latest_steps() -> None:
    predictor = learned(ROUND)
    after = {
        last: predictor.predict([Step(at(49), (last,))], at(50), 1)
        for last in ("edit", "test", "commit")
    }

    assert {last: answer.guesses[0].label for last, answer in after.items()} == {
        "edit": "test",
        "test": "commit",
        "commit": "push",
    }


def test_an_outcome_teaches_what_follows_its_context_and_nothing_about_now() -> None:
    predictor = learned(ROUND)
    now = predictor.predict(None, at(48), 1)
    context = [Step(at(48), ("review",))]
    for i in range(12):
        predictor.learn_outcome(context, Step(at(48) + i, ("merge",)))

    assert predictor.predict(context, at(49), 1).guesses[0].label == "merge"
    assert predictor.predict(None, at(48), 1).guesses[0].label == now.guesses[0].label == "edit"
    assert predictor.steps_learned == len(ROUND)


def test_of_a_set_any_member_is_a_hit() -> None:
    pair = [Step(at(i), ("a.py", "test_a.py") if i % 2 else ("b.md",)) for i in range(40)]
    predictor = learned(pair[:-1])
    one, other = Predictor.load(predictor.save()), Predictor.load(predictor.save())
    first, second = (predictor.predict(None, at(39), 2).guesses[i].label for i in (0, 1))

    assert {first, second} & {"a.py", "test_a.py"}
    assert one.learn(Step(at(39), ("something", first))).hit_at_1
    assert not other.learn(Step(at(39), ("something", "other"))).hit_at_5
    assert predictor.learn(pair[-1]).outcome == 0.5


def test_a_commit_of_many_files_is_one_step() -> None:
    predictor = learned(
        [Step(at(i), tuple(f"{i % 2}/{n}.c" for n in range(30))) for i in range(10)]
    )
    grade = predictor.learn(Step(at(10), tuple(f"0/{n}.c" for n in range(30))))

    assert predictor.steps_learned == 11
    assert grade.hit_at_1
    assert grade.log_loss_bits < 6.0  # a member drawn from 30 is at least 4.9 bits


def test_what_cannot_come_next_has_no_chance() -> None:
    stream = switches(noise(6, 60, labels=5))
    barred = stream[-1].labels[0]
    predictor = learned(stream, bars_current=True)
    answer = predictor.predict(None, at(60), 5)
    found = chances(predictor, [*(f"n{i}" for i in range(5)), "never seen"], at(60))

    assert {guess.p for guess in answer.guesses if guess.label == barred} <= {0.0}
    for p in found.values():
        assert p[int(barred[1])] < 1e-11
        assert sum(p) == pytest.approx(1.0, abs=1e-6)


def test_memory_stays_bounded() -> None:
    predictor = Predictor(max_labels=20)
    sizes = []
    for i in range(100):
        predictor.learn(Step(at(i), (f"dir{i % 3}/file{i}.py",)))
        sizes.append(len(predictor.save()) if i in {50, 99} else 0)
    listed = predictor.predict(None, at(100), 100).guesses

    assert len(listed) <= 20
    assert sizes[99] < 1.1 * sizes[50]
    assert "dir0/file99.py" in {guess.label for guess in listed}


def test_a_moment_may_come_again_after_all_its_labels_were_forgotten() -> None:
    predictor = Predictor(max_labels=10)
    for hour in (0, 5, 24):
        for i in range(15):
            predictor.learn(Step(at(hour * 60) + i, (f"{hour}-{i}",)))

    assert predictor.predict(None, at(24 * 60) + MINUTE_US, 1).guesses


@pytest.mark.setting("predict.use_prior")
def test_the_prior_changes_the_first_answers() -> None:
    first = [predictor.predict(None, at(8), 3) for predictor in (learned(ROUND[:7]), Predictor())]
    plain = Predictor()
    for step in ROUND[:7]:
        plain.learn(step)

    assert first[0] != plain.predict(None, at(8), 3)
    assert first[1].guesses == ()


@pytest.mark.setting("predict.share_alpha")
def test_a_small_share_lets_one_expert_have_nearly_all_weight() -> None:
    heaviest = []
    for alpha in (0.001, 0.3):
        predictor = Predictor(alpha=alpha)
        for step in ROUND:
            predictor.learn(step)
        heaviest.append(predictor.predict(None, at(48), 1).experts[0][1])

    assert heaviest[0] > heaviest[1]


def test_a_predictor_can_start_from_another_without_its_labels() -> None:
    owner = learned(ROUND)
    heir = Predictor(prior=owner.as_prior())

    assert heir.predict(None, at(0), 5).guesses == ()
    assert b"commit" in owner.save()
    assert b"commit" not in heir.save()


def test_what_is_no_step_no_state_or_no_question_is_refused() -> None:
    predictor = learned(ROUND[:3])
    with pytest.raises(UsageError, match="invalid step: it has no labels"):
        predictor.learn(Step(at(4), ()))
    with pytest.raises(UsageError, match="invalid top_k: 0"):
        predictor.predict(None, at(4), 0)
    with pytest.raises(ShapeError, match="7 bytes are not a saved state"):
        Predictor.load(b"nothing")
    with pytest.raises(ShapeError, match="not a predictor with these experts"):
        Predictor.load(predictor.save(), experts=[CountExperts([ORDER0])])
