"""Fixed share: weights are a distribution at any moment, and whoever is useless costs next to
nothing.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selflow.core.errors import UsageError
from selflow.predict.packing import Packed
from selflow.predict.pool import FixedSharePool

ALPHA = 0.01
ONE = np.ones(1)


def chance(p: float) -> st.SearchStrategy[float]:
    return st.floats(p, 1.0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "archive", "learn"]),
            st.lists(chance(0.0), min_size=9, max_size=9),
        )
    )
)
def test_weights_sum_to_one_whatever_happens(acts: list[tuple[str, list[float]]]) -> None:
    pool = FixedSharePool(["a", "b"], ALPHA)
    for i, (act, p) in enumerate(acts):
        if act == "add" and len(pool.names) < 9:
            pool.add(f"new{i}")
        elif act == "archive" and len(pool.names) > 1:
            pool.archive(pool.names[i % len(pool.names)])
        else:
            pool.learn(np.array(p[: len(pool.names)])[:, None], ONE)

        assert len(pool.weights) == len(pool.names)
        assert pool.weights.sum() == pytest.approx(1.0)
        assert pool.weights.min() >= 0.0


def test_a_newcomer_starts_small_and_a_leaver_gives_back() -> None:
    pool = FixedSharePool(["a", "b"], ALPHA)
    pool.learn(np.array([[0.9], [0.1]]), ONE)
    before = pool.weights.copy()
    pool.add("c")
    beside = pool.weights.copy()
    pool.archive("c")

    np.testing.assert_allclose(beside, [*before * (1 - ALPHA / 3), ALPHA / 3])
    np.testing.assert_allclose(pool.weights, before)


def test_it_is_the_plain_rule_of_fixed_share() -> None:
    rng = np.random.default_rng(1)
    pool, plain = FixedSharePool(["a", "b", "c"], 0.1), [1 / 3] * 3
    for _ in range(50):
        p = rng.uniform(0.05, 1.0, size=3)
        pool.learn(p[:, None], ONE)
        joint = [w * (float(x) + 1e-5) for w, x in zip(plain, p, strict=True)]
        plain = [0.9 * w / sum(joint) + 0.1 / 3 for w in joint]

    np.testing.assert_allclose(pool.weights, plain)


def _bits(pool: FixedSharePool, rows: list[np.ndarray]) -> float:
    """What the pool pays on a stream of (n,) probabilities of what came."""
    paid = 0.0
    for p in rows:
        paid -= math.log2(float(pool.mix(p[:, None])[0]))
        pool.learn(p[:, None], ONE)
    return paid


def test_a_useless_expert_costs_a_hundredth_of_a_bit_at_most() -> None:
    rng = np.random.default_rng(2)
    good = [rng.uniform(0.2, 0.9, size=3) for _ in range(400)]
    without, beside = FixedSharePool(["a", "b", "c"], ALPHA), FixedSharePool(["a", "b", "c"], ALPHA)
    beside.add("useless")
    entry = math.log2(1 / (1 - ALPHA / 4))
    extra = _bits(beside, [np.append(p, 0.0) for p in good]) - _bits(without, good)

    assert extra <= 0.01 * len(good) + entry


def test_it_follows_whoever_is_best_now() -> None:
    pool = FixedSharePool(["early", "late"], ALPHA)
    for _ in range(200):
        pool.learn(np.array([[0.9], [0.05]]), ONE)
    early = pool.weights.copy()
    for _ in range(10):
        pool.learn(np.array([[0.05], [0.9]]), ONE)

    assert early[0] > 0.9
    assert pool.weights[1] > 0.9


def test_a_set_is_one_observation() -> None:
    one, four = FixedSharePool(["a", "b"], ALPHA), FixedSharePool(["a", "b"], ALPHA)
    one.learn(np.array([[0.6], [0.2]]), ONE)
    four.learn(np.array([[0.6, 0.6], [0.2, 0.2]]), np.array([1.0, 3.0]))

    np.testing.assert_allclose(one.weights, four.weights)


def test_a_saved_pool_goes_on_alike() -> None:
    one, other = FixedSharePool(["a", "b"], 0.2), FixedSharePool([], 0.01)
    one.learn(np.array([[0.6], [0.2]]), ONE)
    packed: Packed = one.state()
    other.load_state(packed)
    for pool in (one, other):
        pool.learn(np.array([[0.1], [0.2]]), ONE)

    assert (other.names, other.alpha, other.weights.tolist()) == (
        one.names,
        one.alpha,
        one.weights.tolist(),
    )


def test_names_are_unique_and_known() -> None:
    pool = FixedSharePool(["a"], ALPHA)
    with pytest.raises(UsageError, match="already in use: 'a'"):
        pool.add("a")
    with pytest.raises(UsageError, match="unknown expert: 'b'"):
        pool.archive("b")
