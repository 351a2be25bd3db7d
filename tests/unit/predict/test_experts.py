"""Every expert that is shipped keeps every law; the fast counts are the plain counts."""

import numpy as np
import pytest

from selflow.core.steps import Step
from selflow.predict.agents import ModelExpert
from selflow.predict.counts import (
    FOLDER,
    HOUR,
    LONG,
    ORDER0,
    ORDER1,
    ORDER2,
    ORDER3,
    OWN,
    SHARED,
    SKIP,
    SKIP3,
    Context,
    CountExperts,
)
from selflow.predict.experts import Expert
from selflow.predict.linear import LinearRanker
from selflow.predict.predictor import Predictor
from selflow.predict.recency import RecencyExpert
from selflow.predict.table import HALF_LIVES
from selflow.testing.experts import EXPERT_LAWS, Law, Make, Walk
from selflow.testing.streams import single
from tests.lm.worlds import planted_steps
from tests.unit.predict.agents import Parrot, recorded
from tests.unit.predict.worlds import noise


def _counts(*contexts: Context) -> Make:
    return lambda: CountExperts(contexts)


CONTEXTS: dict[str, Make] = {
    "order0": _counts(ORDER0),
    "order1": _counts(ORDER0, ORDER1),
    "order2": _counts(ORDER0, ORDER1, ORDER2),
    "order3": _counts(ORDER0, ORDER1, ORDER2, ORDER3),
    "skip": _counts(ORDER0, SKIP),
    "skip3": _counts(ORDER0, SKIP3),
    "folder": _counts(ORDER0, FOLDER),
    "hour": _counts(ORDER0, HOUR),
}
EXPERTS: dict[str, Make] = {
    **CONTEXTS,
    "recency": RecencyExpert,
    "ranker_plain": LinearRanker,
    "shared": lambda: CountExperts(SHARED, "shared_", is_shared=True),
    "model": lambda: ModelExpert(Parrot()),
    "silent model": lambda: ModelExpert(Parrot(is_broken=True)),
    "record": recorded,
}


def test_every_context_of_the_pool_is_checked() -> None:
    assert {context.name for context in (*OWN, *LONG)} <= EXPERTS.keys()


@pytest.mark.parametrize("law", EXPERT_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", EXPERTS)
def test_every_expert_keeps_every_law(name: str, law: Law) -> None:
    law(EXPERTS[name])


def _bits(expert: Expert, steps: list[Step]) -> dict[str, float]:
    """Mean bits over the second half, by variant."""
    walk, half, found = Walk(expert), len(steps) // 2, []
    walk.run(steps[:half])
    for step in steps[half:]:
        p, _ = expert.ask(walk.view(step)).score(np.array([walk.vocabulary.find(step.labels[0])]))
        found.append(-np.log2(p[:, 0]))
        walk.learn(step)
    return dict(zip(expert.names, np.mean(found, axis=0).tolist(), strict=True))


def test_what_comes_three_steps_later_is_known_to_the_expert_that_skips_two() -> None:
    steps = planted_steps(1_200, 7, labels=6, lag=3)
    bits = _bits(CONTEXTS["skip3"](), steps)

    assert bits["skip3.100"] < 1.3
    assert bits["order0.100"] > 2.5


def test_what_depends_on_three_steps_together_is_known_to_order_three() -> None:
    rng, chain = np.random.default_rng(1), [0, 1, 2]
    for _ in range(1_500):
        total = chain[-1] + chain[-2] + chain[-3]
        chain.append(total % 5 if rng.random() < 0.9 else int(rng.integers(5)))
    bits = _bits(CONTEXTS["order3"](), single([f"m{i}" for i in chain]))

    assert bits["order3.100"] < 1.0
    assert bits["order2.100"] > 1.5


@pytest.mark.slow
def test_the_planted_rule_is_beyond_all_experts_that_count() -> None:
    """Uniform guesses over 12 labels cost 3.58 bits; whoever knows the rule pays 0.8."""
    grades = [*map(Predictor().learn, planted_steps(1_200, 7))][600:]

    assert np.mean([grade.log_loss_bits for grade in grades]) > 3.0


def _plain_counts(stream: list[Step], labels: list[str]) -> np.ndarray:
    """(K, labels) by the formula: decayed counts, one pseudo-count spread over all labels; nothing
    about NEW.
    """
    ages = len(stream) - 1 - np.arange(len(stream))
    came = np.array([[label in step.labels for label in labels] for step in stream], dtype=float)
    rows = []
    for half_life in HALF_LIVES:
        counts = 2.0 ** (-ages / half_life) @ came
        rows.append((counts + 1.0 / len(labels)) / (counts.sum() + 1.0))
    return np.array(rows)


# The last is longer than the counts run without being rescaled
@pytest.mark.parametrize("steps", [1, 50, 10_030])
def test_the_fast_counts_are_the_plain_counts(steps: int) -> None:
    stream = noise(1, steps, labels=5)
    walk = Walk(EXPERTS["order0"]())
    for step in stream:
        walk.learn(step)
    p, p_new = walk.distribution(stream[-1])
    labels = list(dict.fromkeys(label for step in stream for label in step.labels))
    plain = _plain_counts(stream, labels)

    np.testing.assert_allclose(p / (1.0 - p_new)[:, None], plain, rtol=1e-9)


def test_each_context_learns_what_follows_it() -> None:
    walk = Walk(EXPERTS["order1"]())
    walk.run(single(["a", "x", "b", "y"] * 12))
    after = {}
    for last, outcome in (("a", "x"), ("b", "y")):
        walk.learn(single([last])[0])
        p, _ = walk.distribution(single([outcome])[0])
        after[last] = p[-1].tolist()

    assert np.argmax(after["a"]) == 1
    assert np.argmax(after["b"]) == 3
