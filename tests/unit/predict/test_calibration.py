"""Stated chances are checked against what came, and refitted from the past only."""

import numpy as np
import pytest

from selflow.predict.calibration import FirstGuess, Temperature, expected_calibration_error
from selflow.predict.table import Floats


def _fed(p_first: float, hit: float, steps: int) -> Temperature:
    """Told ``p_first`` of ten candidates' first, which came with chance ``hit``."""
    rng = np.random.default_rng(1)
    temperature = Temperature()
    p = np.append(p_first, np.full(9, (1.0 - p_first) / 10))
    for _ in range(steps):
        shares = np.zeros(11)
        shares[0 if rng.random() < hit else rng.integers(1, 11)] = 1.0
        temperature.learn(p, (1.0 - p_first) / 10, shares)
    return temperature


@pytest.mark.parametrize(("p_first", "hit"), [(0.95, 0.6), (0.3, 0.6)])
def test_whoever_is_too_sure_is_calmed_and_whoever_is_too_shy_is_sharpened(
    p_first: float, hit: float
) -> None:
    temperature = _fed(p_first, hit, 600)
    p = np.append(p_first, np.full(9, (1.0 - p_first) / 10))
    calm, outside = temperature.apply(p, (1.0 - p_first) / 10)

    assert abs(calm[0] - hit) < abs(p_first - hit)
    assert calm.sum() + outside == pytest.approx(1.0)
    assert np.argmax(calm) == 0


def test_too_little_was_seen_to_say() -> None:
    assert _fed(0.95, 0.1, 100).value == 1.0


def test_a_restored_temperature_goes_on_alike() -> None:
    one, other = _fed(0.9, 0.5, 230), Temperature()
    other.load_state(one.state())
    p, shares = np.array([0.2]), np.array([1.0, 0.0])
    for _ in range(250):
        one.learn(p, 0.8, shares)
        other.learn(p, 0.8, shares)

    assert one.value == other.value != 1.0


def test_the_error_is_the_plain_mean_over_bins_of_equal_mass() -> None:
    rng = np.random.default_rng(2)
    stated = rng.permutation(np.linspace(0.01, 0.99, 60))
    came = (rng.random(60) < stated).astype(float)
    order = sorted(range(60), key=lambda i: stated[i])
    bins = [order[i : i + 4] for i in range(0, 60, 4)]
    plain = sum(abs(sum(stated[i] for i in b) - sum(came[i] for i in b)) for b in bins) / 60

    assert expected_calibration_error(stated, came) == pytest.approx(plain)


def test_truth_has_no_error_and_boasting_has() -> None:
    assert expected_calibration_error([], []) == 0.0
    assert expected_calibration_error([1.0] * 30, [1.0] * 30) == 0.0
    assert expected_calibration_error([0.9] * 30, [0.0] * 30) == pytest.approx(0.9)


def _told(boast: float, steps: int) -> tuple[FirstGuess, Floats, Floats, Floats]:
    """First guesses stated ``boast`` too high in logits: the correction, what was stated, what it
    made of that before each step, and what came.
    """
    rng = np.random.default_rng(3)
    correction = FirstGuess()
    truth = rng.uniform(0.05, 0.6, steps)
    stated = 1.0 / (1.0 + (1.0 - truth) / truth * np.exp(-boast))
    came = (rng.random(steps) < truth).astype(float)
    corrected = np.empty(steps)
    for i, (p, outcome) in enumerate(zip(stated.tolist(), came.tolist(), strict=True)):
        corrected[i] = correction.apply(p)
        correction.learn(p, outcome)
    return correction, stated, corrected, came


def test_a_first_guess_that_is_stated_too_high_is_corrected() -> None:
    _, stated, corrected, came = _told(0.5, 4_000)
    before, after = (expected_calibration_error(p[500:], came[500:]) for p in (stated, corrected))

    assert before > 0.08
    assert after < before / 3


def test_a_true_first_guess_is_left_nearly_alone() -> None:
    _, stated, corrected, _ = _told(0.0, 4_000)

    assert np.abs(corrected - stated).mean() < 0.015


def test_what_a_first_guess_is_believed_knows_no_future() -> None:
    one, other = FirstGuess(), FirstGuess()
    for i in range(300):
        assert one.apply(0.3) == other.apply(0.3)
        one.learn(0.3, float(i % 2))
        other.learn(0.3, float(i % 2) if i < 299 else 1.0 - i % 2)

    assert one.apply(0.3) != other.apply(0.3)


def test_a_certain_first_guess_stays_certain() -> None:
    correction, *_ = _told(1.0, 500)
    state = correction.state()
    correction.learn(1.0, 0.0)

    assert correction.apply(1.0) == 1.0
    assert correction.apply(0.0) == 0.0
    assert correction.state() == state


def test_a_restored_first_guess_goes_on_alike() -> None:
    one, *_ = _told(0.5, 500)
    other = FirstGuess()
    other.load_state(one.state())
    one.learn(0.4, 1.0)
    other.learn(0.4, 1.0)

    assert one.apply(0.4) == other.apply(0.4) != 0.4
