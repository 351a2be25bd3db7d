"""Agents in the pool: a language model's word in the pool's terms, who comes and goes, and who
costs nothing.
"""

import numpy as np
import pytest

from selflow.core.errors import ShapeError, UsageError
from selflow.core.scores import BASE_EXPERT, LabelScores
from selflow.core.steps import Step
from selflow.discover.naming import unique
from selflow.predict.agents import ModelExpert, RecordedExpert
from selflow.predict.grades import Tally
from selflow.predict.predictor import ALPHA, Predictor
from selflow.testing import Walk
from selflow.testing.streams import at, other_steps, single, work
from tests.unit.predict.agents import LABELS, Parrot, knowing, recorded
from tests.unit.predict.worlds import noise

USERS = ("ann", "bob")
NOISE = [f"n{i}" for i in range(8)]


def learned(steps: list[Step], predictor: Predictor | None = None) -> Predictor:
    predictor = predictor or Predictor()
    for step in steps:
        predictor.learn(step)
    return predictor


def weights(predictor: Predictor) -> dict[str, float]:
    return dict(predictor.predict(None, at(500), 1).experts)


def fixed(p: dict[str, float], other_p: float) -> RecordedExpert:
    """One that says the same of every step."""
    return RecordedExpert(
        "fixed",
        tuple(p),
        np.tile(np.array([*p.values()], np.float32), (99, 1)),
        np.full(99, other_p),
    )


def said(expert: RecordedExpert, walk: Walk, labels: list[str]) -> dict[str, float]:
    answer = expert.ask(walk.view(single(["a"])[0]))
    p, p_new = answer.score(np.array([walk.vocabulary.find(label) for label in labels]))
    return {**dict(zip(labels, p[0].tolist(), strict=True)), "NEW": float(p_new[0])}


def test_a_label_nobody_knows_gives_its_share_to_new() -> None:
    walk = Walk(fixed({"a": 0.5, "b": 0.25, "never": 0.25}, 0.0))
    walk.run(single(["a", "b", "c"]))
    found = said(walk.expert, walk, ["a", "b", "c"])  # type: ignore[arg-type]

    assert found == pytest.approx({"a": 0.5, "b": 0.25, "c": 0.0, "NEW": 0.25})


def test_the_rest_goes_to_labels_without_a_token_as_they_came_and_to_new() -> None:
    walk = Walk(fixed({"a": 0.4}, 0.6))
    walk.run(single(["often", "a", "often", "often", "once"] + ["often"] * 9))
    found = said(walk.expert, walk, ["a", "often", "once"])  # type: ignore[arg-type]

    assert found["a"] == pytest.approx(0.4)
    assert found["often"] > 5 * found["once"] > 0.0
    assert 0.0 < found["NEW"] < 0.2
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-9)


def test_a_count_fades_by_half_in_two_hundred_steps() -> None:
    p = []
    for pause in (0, 200):
        expert = ModelExpert(Parrot(is_broken=True))
        walk = Walk(expert)
        walk.run(single(["x"] * 200 + ["y"] * pause))
        p.append(expert.decayed[0])

    assert p[1] == pytest.approx(p[0] / 2)


def test_an_agent_enters_with_the_counts_of_the_past() -> None:
    stream = work(11, 80)
    early, late = (ModelExpert(Parrot(is_broken=True)) for _ in range(2))
    predictor = Predictor()
    predictor.enter(early)
    learned(stream, predictor)
    predictor.leave("parrot")
    predictor.enter(late)

    assert late.state() == early.state()
    assert late.decayed.max() > 1.0


def test_the_base_is_an_expert_that_no_agent_can_be_named_like() -> None:
    expert = RecordedExpert(BASE_EXPERT, ("a",), np.ones((1, 1), np.float32), np.zeros(1))

    assert expert.names == ("lm_base",)
    assert unique([BASE_EXPERT], set()) == ["lm-base"]


def test_it_proposes_what_the_model_holds_likeliest() -> None:
    labels = [f"l{i}" for i in range(30)]
    walk = Walk(fixed({label: 0.03 - 0.0001 * i for i, label in enumerate(labels)}, 0.1))
    walk.run(single(labels))
    ids = walk.expert.ask(walk.view(single(["a"])[0])).candidates()

    assert [walk.vocabulary.label(y) for y in ids] == labels[:16]


def test_a_model_hears_the_last_steps_of_its_user_in_texts() -> None:
    parrot = Parrot()
    stream = work(1, 70, USERS)
    predictor = Predictor()
    predictor.enter(ModelExpert(parrot))
    learned(stream, predictor)
    history, now_us = parrot.heard[-1]
    own = [step for step in stream[:-1] if step.user == stream[-1].user]

    assert now_us == stream[-1].ts_us
    assert [(s.ts_us, set(s.labels)) for s in history] == [
        (s.ts_us, set(s.labels)) for s in own[-24:]
    ]


def test_a_large_step_is_heard_by_twelve_labels_once_another_follows_it() -> None:
    parrot = Parrot()
    predictor = Predictor()
    predictor.enter(ModelExpert(parrot))
    learned([Step(at(i), tuple(f"{i}/{n}" for n in range(50))) for i in range(4)], predictor)

    assert [len(step.labels) for step in parrot.heard[-1][0]] == [12, 12, 32]


def test_a_model_that_fails_is_counted_and_leaves_the_pool_up() -> None:
    parrot = Parrot()
    expert = ModelExpert(parrot)
    predictor = Predictor()
    predictor.enter(expert)
    learned(work(2, 20), predictor)
    parrot.is_broken = True
    grades = [predictor.learn(step) for step in work(2, 30)[20:]]

    assert expert.failures == 10
    assert len(grades) == 10
    assert sum(weights(predictor).values()) == pytest.approx(1.0)


def test_weights_sum_to_one_after_every_coming_and_going() -> None:
    predictor = learned(work(3, 20))
    before = weights(predictor)
    predictor.enter(recorded())
    beside = weights(predictor)
    predictor.leave("agent:tape")

    share = ALPHA / (len(before) + 1)
    assert beside == pytest.approx(
        {**{name: w * (1 - share) for name, w in before.items()}, "agent:tape": share}
    )
    assert weights(predictor) == pytest.approx(before)
    assert set(predictor.expert_names) == set(before)


def test_names_are_those_of_the_expert_or_of_its_agent_and_only_agents_leave() -> None:
    predictor = learned(work(3, 5))
    predictor.enter(recorded())
    with pytest.raises(UsageError, match="already in use: 'agent:tape'"):
        predictor.enter(recorded())
    for name in ("order1.100", "nobody"):
        with pytest.raises(UsageError, match=f"unknown expert: '{name}'"):
            predictor.leave(name)
        with pytest.raises(UsageError, match=f"unknown expert: '{name}'"):
            predictor.predict(None, at(9), 1, without=name)
    predictor.leave("tape")

    assert "agent:tape" not in predictor.expert_names


def test_who_has_left_leaves_the_others_as_if_it_had_never_been_there() -> None:
    stream = work(4, 60)
    never, visited = Predictor(), Predictor()
    learned(stream[:20], never)
    learned(stream[:20], visited)
    visited.enter(recorded())
    learned(stream[20:40], never)
    learned(stream[20:40], visited)
    visited.leave("tape")
    for step in stream[40:]:
        one, _ = never.test_then_train(step)
        other, _ = visited.test_then_train(step)

        np.testing.assert_array_equal(other.ids, one.ids)
        np.testing.assert_allclose(other.p, one.p, rtol=1e-9)
        np.testing.assert_allclose(other.p_new, one.p_new, rtol=1e-9)


def _bits(steps: list[Step], *agents: RecordedExpert) -> float:
    predictor, tally = Predictor(), Tally()
    for agent in agents:
        predictor.enter(agent)
    for step in steps:
        tally.add(predictor.learn(step))
    return float(tally.figures()["log_loss_bits"])


def test_an_agent_that_adds_nothing_costs_a_hundredth_of_a_bit_at_most() -> None:
    stream = work(5, 150)

    assert _bits(stream, recorded(150)) <= _bits(stream) + 0.01


def test_an_agent_that_knows_is_trusted_and_named() -> None:
    stream = noise(6, 120, len(NOISE))
    predictor = Predictor()
    predictor.enter(knowing(stream, NOISE))
    grades = [predictor.learn(step) for step in stream[:-1]]

    assert weights(predictor)["agent:seer"] > 0.9
    assert sum(grade.hit_at_1 for grade in grades[-50:]) > 42
    # Nobody else can do better than 3
    assert sum(grade.log_loss_bits for grade in grades[-50:]) < 1.0 * 50


def test_a_pool_without_an_agent_answers_as_one_that_never_met_it() -> None:
    stream = work(4, 60, USERS)
    with_agent, alone = Predictor(), Predictor()
    learned(stream, with_agent)
    learned(stream, alone)
    with_agent.enter(fixed({"z": 0.7, "b": 0.2}, 0.1))

    left_out = with_agent.predict(None, at(60), 5, without="fixed")
    assert [guess.label for guess in left_out.guesses] == [
        guess.label for guess in alone.predict(None, at(60), 5).guesses
    ]
    assert left_out.other_p == pytest.approx(alone.predict(None, at(60), 5).other_p)
    assert "agent:fixed" not in dict(left_out.experts)
    assert with_agent.predict(None, at(60), 5) != left_out


def test_an_agent_that_is_left_out_is_not_asked() -> None:
    predictor = learned(work(4, 20, USERS))
    predictor.enter(recorded(0))

    assert predictor.predict(None, at(20), 5, without="tape").guesses


def test_a_saved_pool_with_agents_goes_on_bit_for_bit() -> None:
    stream = work(7, 60, USERS)
    one = Predictor()
    learned(stream[:10], one)
    one.enter(ModelExpert(Parrot()))
    one.enter(recorded())
    learned(stream[10:30], one)
    data = one.save()
    other = Predictor.load(data, [ModelExpert(Parrot()), recorded()])

    assert other.save() == data
    for step in stream[30:]:
        assert other.predict(None, step.ts_us, 5) == one.predict(None, step.ts_us, 5)
        assert other.learn(step) == one.learn(step)
    assert other.save() == one.save()
    with pytest.raises(ShapeError, match="not a predictor with these experts"):
        Predictor.load(data, [recorded()])


def test_agents_know_no_future() -> None:
    stream = work(8, 40, USERS)
    said = []
    for steps in (stream, other_steps(stream, 25, seed=8)):
        predictor = Predictor()
        predictor.enter(ModelExpert(Parrot()))
        grades = [predictor.learn(step) for step in steps[:25]]
        said.append((grades, predictor.predict(None, at(26), 5), predictor.save()))
        learned(steps[25:], predictor)

    assert said[0] == said[1]


def test_a_record_that_has_ended_says_so() -> None:
    predictor = Predictor()
    predictor.enter(recorded(3))
    learned(work(9, 3), predictor)
    with pytest.raises(ShapeError, match="scores of tape end after 3 steps"):
        predictor.learn(work(9, 4)[-1])


def test_another_tuple_of_labels_is_another_base() -> None:
    walk = Walk(fixed({"a": 1.0}, 0.0))
    walk.run(single(["a", "b"]))
    places = [walk.vocabulary.ids(labels).tolist() for labels in (("b", "x"), ("a",), LABELS[:1])]
    walk.learn(single([LABELS[0]])[0])

    assert places == [[1, -1], [0], [-1]]
    assert walk.vocabulary.ids(LABELS[:1]).tolist() == [2]
    assert LabelScores(("a",), np.ones(1, np.float32), 0.0).labels == ("a",)
