"""May a candidate serve? The pool with it against the pool without it, on steps that nothing has
learned from.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from selflow.core.errors import ShapeError
from selflow.core.settings import GateSettings
from selflow.judge.blocks import Ids, block_starts, sessions
from selflow.judge.ledger import alpha_at

LEAST_BLOCKS = 5
"""A bootstrap over fewer blocks has too few different samples for a small p."""
DRAWS = 2_000
CLIP_BITS = 4.0
"""What one step may count: a few steps shall not decide."""
MARGIN_SD = 0.1
"""The loss that other steps may show, in standard deviations of their gains."""
MAX_HIT_LOSS = 0.01
MAX_ECE, MAX_ECE_RISE = 0.05, 0.01
"""Overconfidence that is allowed, and how far above that of the pool without the candidate."""
ECE_BINS = 15
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Check:
    """One demand of the gate: whether it is met, a sentence for the owner, and its figures."""

    is_met: bool
    sentence: str
    figures: dict[str, float]


class Outcomes(NamedTuple):
    """How a pool did on each of n steps, (n,) each: ``outcome`` is the part of the step that its
    first guess was.
    """

    log_loss_bits: Floats
    hit_at_5: NDArray[np.bool_]
    confidence: Floats
    outcome: Floats

    def ece_excess(self) -> float:
        """Mean distance of the stated from the observed probability over 15 bins of equal mass,
        beyond what a calibrated pool shows by chance; the ``ece`` of figures is the whole distance.

        Source: Guo et al. 2017 (ECE), here by bins of equal mass. Cost: O(n log n).
        """
        over, expected = self._by_bin()
        return max(0.0, float((np.abs(over) - expected).sum())) / len(self.outcome)

    def overconfidence(self) -> float:
        """The same of bins whose stated probability is above the observed one; what is stated too
        low counts 0: it misleads nobody, and the log-loss has its price.
        """
        over, expected = self._by_bin()
        return max(0.0, float(np.where(over > 0, over - expected, 0.0).sum())) / len(self.outcome)

    def _by_bin(self) -> tuple[Floats, Floats]:
        """(15,) each: stated minus observed sum, and its expected size in a calibrated pool."""
        bins = np.array_split(np.argsort(self.confidence, kind="stable"), ECE_BINS)
        spread = np.abs(self.confidence * (1.0 - self.confidence)) * 2 / np.pi
        over = self.confidence - self.outcome
        return (
            np.array([over[part].sum() for part in bins]),
            np.array([spread[part].sum() ** 0.5 for part in bins]),
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Pools over the same n gate steps, begun in the same state: without the candidate, with it,
    with the champion.

    ``in_slice`` (n,): whether a step belongs to the candidate's pattern, by what came before it.
    """

    ts_us: Ids
    in_slice: NDArray[np.bool_]
    without: Outcomes
    joined: Outcomes
    champion: Outcomes | None = None

    def __post_init__(self) -> None:
        n, pools = len(self.ts_us), (self.without, self.joined, self.champion or self.joined)
        for part in (self.in_slice, *(part for pool in pools for part in pool)):
            if len(part) != n or not np.all(np.isfinite(part)):
                raise ShapeError(
                    f"the grades of {n:,} gate steps are not as many numbers",
                    "grade every pool anew",
                )

    def gain_bits(self, over: Outcomes) -> Floats:
        """(n,) what the candidate saves over another pool; a step counts 4 bits at most."""
        return np.clip(over.log_loss_bits - self.joined.log_loss_bits, -CLIP_BITS, CLIP_BITS)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Sentences for the owner, of what failed or else of all that was shown, and the figures of
    every check.
    """

    decision: Literal["passed", "rejected", "no_verdict"]
    reasons: tuple[str, ...]
    numbers: dict[str, float]


def too_few(ts_us: Ids, in_slice: NDArray[np.bool_], settings: GateSettings) -> str:
    """Why n steps of which these are a candidate's own allow no verdict, empty if they do; looks at
    no loss.
    """
    own, blocks = int(in_slice.sum()), len(block_starts(sessions(ts_us)[in_slice]))
    if own >= settings.min_events and blocks >= LEAST_BLOCKS:
        return ""
    return (
        f"The gate part holds {own:,} steps of its own slice, in {blocks} blocks of sessions; a "
        f"verdict needs {settings.min_events:,} steps and {LEAST_BLOCKS} blocks. It is judged again"
        " when enough later events are there."
    )


def judge(evidence: Evidence, settings: GateSettings, opening: int, seed: int) -> Verdict:
    """The verdict on one candidate, 20 ms for 2,000 steps; ``docs/decisions/0010-the-gate.md`` says
    why each demand.
    """
    own, alpha = evidence.in_slice, alpha_at(settings, opening)
    n, n_own, blocks = len(own), int(own.sum()), len(block_starts(sessions(evidence.ts_us)[own]))
    numbers = {"gate_steps": n, "slice_steps": n_own, "slice_blocks": blocks, "alpha": alpha}
    if reason := too_few(evidence.ts_us, own, settings):
        return Verdict("no_verdict", (reason,), numbers)
    checks = {
        "slice": _gains(evidence, evidence.without, "the pool without it", settings, alpha, seed)
    }
    if evidence.champion is not None:
        checks["champion"] = _gains(
            evidence, evidence.champion, "the pool with the champion", settings, alpha, seed
        )
    if n_own < n:
        checks["elsewhere"] = _non_inferiority(evidence, settings, seed)
    checks["hit_at_5"] = _hits(evidence)
    checks["overconfidence"] = _overconfidence(evidence)
    numbers |= {
        "ece_excess_without": evidence.without.ece_excess(),
        "ece_excess_joined": evidence.joined.ece_excess(),
    }
    for name, check in checks.items():
        numbers[f"{name}_is_met"] = float(check.is_met)
        numbers |= {f"{name}_{key}": figure for key, figure in check.figures.items()}
    failed = tuple(check.sentence for check in checks.values() if not check.is_met)
    shown = tuple(check.sentence for check in checks.values())
    return Verdict("rejected" if failed else "passed", failed or shown, numbers)


def p_not_above(gain_bits: Floats, session: Ids, floor_bits: float, seed: int) -> float:
    """One-sided p of "the mean gain is at most ``floor_bits``": a studentised bootstrap over
    blocks.

    As many blocks as there are are drawn with replacement; the mean is drawn sum over drawn steps,
    its error that of a ratio.

    Args:
        gain_bits: (n,) bits that each step saves.
        session: (n,) the session of each step, not falling; blocks are made of whole sessions.
        floor_bits: The mean to be refuted.
        seed: Of the draws.

    Returns:
        In [1 / 2001, 1]. Cost: O(2,000 blocks).

    Source: Hall 1988, percentile-t; Carlstein 1986, blocks that do not overlap.
    """
    starts = block_starts(session)
    sums, sizes = (
        np.add.reduceat(gain_bits, starts),
        np.diff(starts, append=len(session)).astype(np.float64),
    )
    drawn = np.random.default_rng(seed).integers(0, len(starts), (DRAWS + 1, len(starts)))
    drawn[0] = np.arange(len(starts))  # the sample itself
    steps = sizes[drawn].sum(axis=1)
    mean = sums[drawn].sum(axis=1) / steps
    error = np.sqrt(((sums[drawn] - mean[:, None] * sizes[drawn]) ** 2).sum(axis=1)) / steps + 1e-12
    t = (mean[1:] - mean[0]) / error[1:]
    return float(1 + np.sum(t >= (mean[0] - floor_bits) / error[0])) / (DRAWS + 1)


def _gains(
    evidence: Evidence, other: Outcomes, named: str, settings: GateSettings, alpha: float, seed: int
) -> Check:
    own = evidence.in_slice
    gain_bits = evidence.gain_bits(other)[own]
    p = p_not_above(gain_bits, sessions(evidence.ts_us)[own], 0.0, seed)
    plain_bits = float((other.log_loss_bits - evidence.joined.log_loss_bits)[own].mean())
    # Neither a few wonders nor disasters that clipping hides
    mean_bits = min(float(gain_bits.mean()), plain_bits)
    sentence = (
        f"On the {len(gain_bits):,} steps of its own slice it saves {mean_bits:+.3f} bit "
        f"per step over {named}, with p = {p:.4f}; at least {settings.min_gain_bits:.3f} bit and a "
        f"p of at most {alpha:.4f} are asked."
    )
    is_met = p <= alpha and mean_bits >= settings.min_gain_bits
    return Check(is_met, sentence, {"gain_bits": mean_bits, "p": p})


def _hits(evidence: Evidence) -> Check:
    before, after = (float(np.mean(pool.hit_at_5)) for pool in (evidence.without, evidence.joined))
    sentence = (
        f"Hit@5 goes from {before:.3f} to {after:.3f}; a loss of more than {MAX_HIT_LOSS} is "
        "refused."
    )
    figures = {"without": before, "joined": after}
    return Check(after >= before - MAX_HIT_LOSS, sentence, figures)


def _overconfidence(evidence: Evidence) -> Check:
    before, after = evidence.without.overconfidence(), evidence.joined.overconfidence()
    most = max(MAX_ECE, before + MAX_ECE_RISE)
    sentence = (
        f"What is stated above what comes, beyond chance, goes from {before:.3f} to {after:.3f}; "
        f"at most {most:.3f} is allowed."
    )
    return Check(after <= most, sentence, {"without": before, "joined": after})


def _non_inferiority(evidence: Evidence, settings: GateSettings, seed: int) -> Check:
    """Over the other steps, or over all where the others are too few to show anything."""
    rest, session = ~evidence.in_slice, sessions(evidence.ts_us)[~evidence.in_slice]
    gain_bits = evidence.gain_bits(evidence.without)
    n, mean_bits, whole_bits = len(session), float(gain_bits[rest].mean()), float(gain_bits.mean())
    if n < settings.min_events or len(block_starts(session)) < LEAST_BLOCKS:
        sentence = (
            f"Over all {len(gain_bits):,} gate steps it saves {whole_bits:+.3f} bit per "
            "step; a loss is refused."
        )
        figures = {"gain_bits": mean_bits, "whole_gain_bits": whole_bits}
        return Check(whole_bits >= 0.0, sentence, figures)
    margin_bits = MARGIN_SD * float(gain_bits.std())
    p = p_not_above(gain_bits[rest], session, -margin_bits, seed)
    sentence = (
        f"On the {n:,} other steps it saves {mean_bits:+.3f} bit per step; that it loses "
        f"less than {margin_bits:.3f} bit there has p = {p:.4f}, and at most {settings.alpha:.4f} "
        "is asked."
    )
    figures = {"gain_bits": mean_bits, "margin_bits": margin_bits, "p": p}
    return Check(p <= settings.alpha, sentence, figures)
