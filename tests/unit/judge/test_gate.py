"""The gate: what each demand refuses, and that the owner's settings decide."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import stdtr

from selflow.core.errors import ShapeError
from selflow.core.settings import GateSettings
from selflow.judge.gate import (
    Evidence,
    Outcomes,
    Verdict,
    judge,
    p_not_above,
)
from tests.unit.judge.worlds import drawn, drawn_sessions, noise

SETTINGS = GateSettings()


def _drawn(
    seed: int = 1, n_own: int = 1_000, n_rest: int = 1_000, gain_bits: float = 0.2, **more: float
) -> Evidence:
    """The pool's guesses stay what they were: hits have tests of their own."""
    evidence = drawn(np.random.default_rng(seed), n_own, n_rest, gain_bits, **more)
    return _joined(evidence, hit_at_5=evidence.without.hit_at_5)


def _judged(evidence: Evidence, opening: int = 1, **settings: Any) -> Verdict:
    return judge(evidence, GateSettings(**settings), opening, seed=7)


def _joined(evidence: Evidence, **parts: Any) -> Evidence:
    return replace(evidence, joined=evidence.joined._replace(**parts))


def _failed(verdict: Verdict) -> set[str]:
    return {
        key.removesuffix("_is_met")
        for key, met in verdict.numbers.items()
        if key.endswith("_is_met") and not met
    }


def test_a_candidate_that_helps_its_slice_and_harms_nothing_passes() -> None:
    verdict = _judged(_drawn())

    assert verdict.decision == "passed"
    assert len(verdict.reasons) == 4
    gain_bits = verdict.numbers["slice_gain_bits"]
    assert verdict.reasons[0].startswith(
        f"On the 1,000 steps of its own slice it saves {gain_bits:+.3f} bit per step"
    )
    assert gain_bits == pytest.approx(0.2, abs=0.1)
    assert all(type(value) in {int, float} for value in verdict.numbers.values())


def test_a_candidate_that_adds_nothing_is_rejected_with_the_figures() -> None:
    verdict = _judged(_drawn(gain_bits=0.0))

    assert verdict.decision == "rejected"
    assert _failed(verdict) == {"slice"}
    assert f"p = {verdict.numbers['slice_p']:.4f}" in verdict.reasons[0]
    assert "at least 0.050 bit and a p of at most 0.0500 are asked" in verdict.reasons[0]


def test_the_same_evidence_and_seed_give_the_same_verdict() -> None:
    assert _judged(_drawn()) == _judged(_drawn())


@pytest.mark.setting("gate.min_events")
def test_too_few_steps_of_its_own_give_no_verdict() -> None:
    evidence = _drawn(n_own=299, gain_bits=0.5)

    assert _judged(evidence).decision == "no_verdict"
    assert "holds 299 steps of its own slice" in _judged(evidence).reasons[0]
    assert _judged(evidence, min_events=299).decision == "passed"


def test_too_few_blocks_to_draw_from_give_no_verdict() -> None:
    evidence = _drawn(n_own=80, n_rest=0, gain_bits=0.5)

    assert _judged(evidence, min_events=20).decision == "no_verdict"


@pytest.mark.setting("gate.min_gain_bits")
def test_a_gain_that_is_sure_but_small_is_not_worth_a_change() -> None:
    evidence = _drawn(n_own=4_000, gain_bits=0.07)

    assert _failed(_judged(evidence, min_gain_bits=0.1)) == {"slice"}
    assert _judged(evidence).decision == "passed"


@pytest.mark.setting("gate.alpha")
def test_a_stricter_level_refuses_what_a_laxer_one_lets_pass() -> None:
    evidence = _drawn(n_rest=0, gain_bits=0.1)
    p = _judged(evidence).numbers["slice_p"]

    assert _judged(evidence, alpha=p + 0.001).decision == "passed"
    assert _failed(_judged(evidence, alpha=p - 0.0001)) == {"slice"}


def test_the_opening_decides_whether_the_same_evidence_passes() -> None:
    evidence = _drawn(n_rest=0, gain_bits=0.1)
    alpha = _judged(evidence).numbers["slice_p"] * 2

    assert _judged(evidence, opening=1, alpha=alpha).decision == "passed"
    assert _failed(_judged(evidence, opening=3, alpha=alpha)) == {"slice"}


def test_harm_elsewhere_is_refused() -> None:
    verdict = _judged(_drawn(rest_gain_bits=-0.15))

    assert _failed(verdict) == {"elsewhere"}
    assert verdict.reasons[0].startswith("On the 1,000 other steps it saves -0.")


def test_a_candidate_that_is_silent_elsewhere_is_not_inferior_there() -> None:
    evidence = _drawn()
    bits = np.where(
        evidence.in_slice, evidence.joined.log_loss_bits, evidence.without.log_loss_bits
    )

    assert _judged(_joined(evidence, log_loss_bits=bits)).decision == "passed"


@pytest.mark.parametrize(("loss_bits", "decision"), [(0.5, "passed"), (2.5, "rejected")])
def test_where_the_rest_is_too_small_to_show_anything_the_whole_must_not_lose(
    loss_bits: float, decision: str
) -> None:
    verdict = _judged(_drawn(n_own=1_000, n_rest=100, gain_bits=0.2, rest_gain_bits=-loss_bits))

    assert verdict.decision == decision
    assert "elsewhere_whole_gain_bits" in verdict.numbers


def test_hits_that_get_lost_are_refused_even_if_the_loss_falls() -> None:
    evidence = _drawn()
    hits = evidence.without.hit_at_5
    fewer, hardly_fewer = (np.where(np.cumsum(hits) <= lost, False, hits) for lost in (21, 19))

    assert _failed(_judged(_joined(evidence, hit_at_5=fewer))) == {"hit_at_5"}
    assert _judged(_joined(evidence, hit_at_5=hardly_fewer)).decision == "passed"


def test_boasting_is_refused_and_an_old_fault_of_the_pool_is_not_the_candidates() -> None:
    evidence = _drawn()
    boasting = np.full(2_000, 0.6)
    boasts = _joined(evidence, confidence=boasting)

    assert _failed(_judged(boasts)) == {"overconfidence"}
    assert (
        _judged(replace(boasts, without=boasts.without._replace(confidence=boasting))).decision
        == "passed"
    )


def test_a_pool_that_states_too_little_is_not_refused() -> None:
    evidence = _drawn()
    timid = _joined(evidence, confidence=evidence.joined.outcome * 0.5)
    verdict = _judged(timid)

    assert verdict.numbers["ece_excess_joined"] > 0.05
    assert (verdict.numbers["overconfidence_joined"], verdict.decision) == (0.0, "passed")


def test_a_calibration_error_that_chance_alone_would_show_is_none() -> None:
    rng = np.random.default_rng(3)
    stated = rng.random(400)
    honest = Outcomes(stated, stated > 0, stated, (rng.random(400) < stated).astype(float))

    assert honest.ece_excess() < 0.02
    assert honest._replace(outcome=np.zeros(400)).ece_excess() > 0.4


def test_the_champion_must_be_beaten_too() -> None:
    evidence, stronger = _drawn(gain_bits=0.2), _drawn(gain_bits=0.4)
    weaker = evidence.without._replace(log_loss_bits=evidence.without.log_loss_bits - 0.05)

    assert _failed(_judged(replace(evidence, champion=stronger.joined))) == {"champion"}
    assert _judged(replace(evidence, champion=weaker)).decision == "passed"


def test_a_few_wonders_do_not_carry_a_candidate_and_clipping_hides_no_disaster() -> None:
    evidence = _drawn(gain_bits=0.0)
    own = np.flatnonzero(evidence.in_slice)
    wonders, disasters = evidence.joined.log_loss_bits.copy(), evidence.joined.log_loss_bits - 0.2
    wonders[own[:10]] -= 50.0
    disasters[own[::50]] += 30.0

    assert "slice" in _failed(_judged(_joined(evidence, log_loss_bits=wonders)))
    assert "slice" in _failed(_judged(_joined(evidence, log_loss_bits=disasters)))


@pytest.mark.parametrize("part", ["log_loss_bits", "hit_at_5", "confidence", "outcome"])
def test_grades_of_other_steps_are_refused(part: str) -> None:
    evidence = _drawn()

    with pytest.raises(ShapeError, match=r"grades of 2,000 gate steps"):
        _joined(evidence, **{part: getattr(evidence.joined, part)[1:]})


def test_a_loss_that_is_no_number_is_refused() -> None:
    evidence = _drawn()
    bits = evidence.joined.log_loss_bits.copy()
    bits[5] = np.nan

    with pytest.raises(ShapeError, match="not as many numbers"):
        _joined(evidence, log_loss_bits=bits)


def test_a_candidate_that_changes_nothing_shows_nothing() -> None:
    session = drawn_sessions(np.random.default_rng(1), 400)

    assert p_not_above(np.zeros(400), session, 0.0, 1) == 1.0
    assert p_not_above(np.full(400, 0.1), session, 0.0, 1) == pytest.approx(1 / 2_001)


def test_the_bootstrap_agrees_with_students_test_where_that_holds() -> None:
    """Normal block means of equal sizes: the two p differ by little more than the draws' own
    chance.
    """
    session = np.repeat(np.arange(50), 20)
    for seed in range(5):
        gain_bits = noise(np.random.default_rng(seed), 1_000, 0.0) + 0.05
        means = gain_bits.reshape(50, 20).mean(axis=1)
        t = means.mean() / (means.std(ddof=1) / 50**0.5)

        assert p_not_above(gain_bits, session, 0.0, seed) == pytest.approx(stdtr(49, -t), abs=0.03)
