"""The gate's error rates, by simulation on fixed seeds; ``bench/gate.py`` measures them at full
size.

A bound is the rate that is promised plus two standard errors of so many runs.
"""

import numpy as np
import pytest

from selflow.core.settings import GateSettings
from selflow.judge.gate import judge
from tests.unit.judge.worlds import drawn, false_passes, pools

pytestmark = pytest.mark.slow

SETTINGS = GateSettings()


def _passes(runs: int, n: int, gain_bits: float, rho: float) -> tuple[int, int]:
    """How many candidates pass, and how many the test on the slice alone would let pass."""
    passed = shown = 0
    for seed in range(runs):
        verdict = judge(drawn(np.random.default_rng(seed), n, 0, gain_bits, rho), SETTINGS, 1, seed)
        passed += verdict.decision == "passed"
        shown += verdict.numbers["slice_p"] <= SETTINGS.alpha
    return passed, shown


@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_a_candidate_as_good_as_nothing_passes_in_at_most_seven_percent(rho: float) -> None:
    passed, shown = _passes(120, 1_000, 0.0, rho)

    assert passed <= shown
    assert shown <= 120 * 0.07 + 2 * (120 * 0.07 * 0.93) ** 0.5


def test_a_tenth_of_a_bit_passes_in_four_of_five_at_a_thousand_steps() -> None:
    passed, _ = _passes(100, 1_000, 0.1, 0.0)

    assert passed >= 80


def test_a_candidate_with_shuffled_targets_never_passes_and_one_that_learned_does() -> None:
    found = {
        is_shuffled: [
            judge(
                pools(np.random.default_rng(seed), 1_000, is_shuffled=is_shuffled),
                SETTINGS,
                1,
                seed,
            ).decision
            for seed in range(20)
        ]
        for is_shuffled in (True, False)
    }

    assert found[True].count("passed") == 0
    assert found[False].count("passed") >= 18


def test_candidates_that_add_nothing_stay_within_the_level_of_each_gate_set() -> None:
    """20 cycles on a growing stream: 0.114 is the sum of the five levels of one set."""
    sets = [found for seed in range(40) for found in false_passes(seed)]
    n = len(sets)

    assert n == 40 * 3, "three sets, each of which shares at most half with those before it"
    assert sum(sets) <= n * 0.114 + 2 * (n * 0.114 * 0.886) ** 0.5
