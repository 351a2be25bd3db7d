"""The verdict on each part of an agent."""

import numpy as np
import pytest

from selflow.core.settings import GateSettings
from selflow.judge.parts import judge_parts

N = 400
TS_US = np.arange(N, dtype=np.int64) * 600_000_000
SETTINGS = GateSettings()


def _verdicts(**gain_bits: float) -> dict[str, bool]:
    rng = np.random.default_rng(3)
    whole = rng.gamma(4.0, 5.0, N)
    without = {name: whole + rng.normal(gain, 1.0, N) for name, gain in gain_bits.items()}
    parts = judge_parts(TS_US, whole, without, SETTINGS, alpha=0.05, seed=7)
    return {name: part.is_met for name, part in parts.items()}


def test_a_part_that_saves_bits_earns_its_place_and_one_that_does_not_fails() -> None:
    assert _verdicts(base=1.0, adapter=0.0, counts=-0.5) == {
        "base": True,
        "adapter": False,
        "counts": False,
    }


def test_a_sure_gain_below_the_least_gain_is_not_enough() -> None:
    whole = np.full(N, 20.0)
    noise = np.random.default_rng(5).normal(0.0, 0.01, N)
    without = {"adapter": whole + SETTINGS.min_gain_bits / 2 + noise}
    (part,) = judge_parts(TS_US, whole, without, SETTINGS, alpha=0.05, seed=7).values()

    assert part.p < 0.01
    assert not part.is_met
    assert part.gain_bits == pytest.approx(SETTINGS.min_gain_bits / 2, abs=0.005)


def test_a_large_gain_of_a_few_lines_is_not_beyond_chance() -> None:
    whole = np.full(N, 20.0)
    lucky = whole.copy()
    lucky[:3] += 60.0
    (part,) = judge_parts(TS_US, whole, {"base": lucky}, SETTINGS, alpha=0.05, seed=7).values()

    assert part.gain_bits > SETTINGS.min_gain_bits
    assert part.p > 0.05
    assert not part.is_met
