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

LEAST_BLOCKS, DRAWS = 5, 2_000
CLIP_BITS, MARGIN_SD, MAX_HIT_LOSS = 4.0, 0.1, 0.01
MAX_ECE, MAX_ECE_RISE, ECE_BINS = 0.05, 0.01, 15
Floats = NDArray[np.float64]
# Whether a demand is met, the sentence about it, its figures
Check = tuple[bool, str, dict[str, float]]


class Outcomes(NamedTuple):
    """How a pool did on each of n steps, (n,) each: ``outcome`` is the part of the step that its
    first guess was.
    """

    log_loss_bits: Floats
    hit_at_5: NDArray[np.bool_]
    confidence: Floats
    outcome: Floats

    def ece_excess(self) -> float:
        """Mean distance of stated from observed chance over 15 bins of equal mass, beyond what
        chance alone shows; the ``ece`` of figures is the whole distance.
        """
        over, chance = self._by_bin()
        return max(0.0, float((np.abs(over) - chance).sum())) / len(self.outcome)

    def overconfidence(self) -> float:
        """The same of bins whose stated chance is above the observed one; what is stated too low
        counts 0: it misleads nobody, and the log-loss has its price.
        """
        over, chance = self._by_bin()
        return max(0.0, float(np.where(over > 0, over - chance, 0.0).sum())) / len(self.outcome)

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
    before, after = (float(np.mean(pool.hit_at_5)) for pool in (evidence.without, evidence.joined))
    told = (
        f"Hit@5 goes from {before:.3f} to {after:.3f}; a loss of more than {MAX_HIT_LOSS} is "
        "refused."
    )
    checks["hit_at_5"] = (
        after >= before - MAX_HIT_LOSS,
        told,
        {"without": before, "joined": after},
    )
    before, after = evidence.without.overconfidence(), evidence.joined.overconfidence()
    most = max(MAX_ECE, before + MAX_ECE_RISE)
    told = (
        f"What is stated above what comes, beyond chance, goes from {before:.3f} to {after:.3f}; "
        f"at most {most:.3f} is allowed."
    )
    checks["overconfidence"] = (after <= most, told, {"without": before, "joined": after})
    numbers |= {
        "ece_excess_without": evidence.without.ece_excess(),
        "ece_excess_joined": evidence.joined.ece_excess(),
    }
    for name, (is_met, _, figures) in checks.items():
        numbers |= {
            f"{name}_is_met": float(is_met),
            **{f"{name}_{key}": figure for key, figure in figures.items()},
        }
    failed = tuple(told for is_met, told, _ in checks.values() if not is_met)
    return Verdict(
        "rejected" if failed else "passed", failed or tuple(c[1] for c in checks.values()), numbers
    )


def p_not_above(gain_bits: Floats, session: Ids, floor_bits: float, seed: int) -> float:
    """One-sided p of "the mean of the gains (n,) is at most ``floor_bits``": a studentised
    bootstrap over blocks.

    As many blocks as there are are drawn with replacement; the mean is drawn sum over drawn steps,
    its error that of a ratio. A plain percentile errs in 7% of cases at 15 blocks and a level of
    5%, this in 5 to 6.

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
    told = (
        f"On the {len(gain_bits):,} steps of its own slice it saves {mean_bits:+.3f} bit "
        f"per step over {named}, with"
        f" p = {p:.4f}; at least {settings.min_gain_bits:.3f} bit and a p of at most "
        f"{alpha:.4f} are asked."
    )
    return (
        p <= alpha and mean_bits >= settings.min_gain_bits,
        told,
        {"gain_bits": mean_bits, "p": p},
    )


def _non_inferiority(evidence: Evidence, settings: GateSettings, seed: int) -> Check:
    rest, session = ~evidence.in_slice, sessions(evidence.ts_us)[~evidence.in_slice]
    gain_bits = evidence.gain_bits(evidence.without)
    n, mean_bits, whole_bits = len(session), float(gain_bits[rest].mean()), float(gain_bits.mean())
    if (
        n < settings.min_events or len(block_starts(session)) < LEAST_BLOCKS
    ):  # too few to show anything themselves
        told = (
            f"Over all {len(gain_bits):,} gate steps it saves {whole_bits:+.3f} bit per "
            "step; a loss is refused."
        )
        return (whole_bits >= 0.0, told, {"gain_bits": mean_bits, "whole_gain_bits": whole_bits})
    margin_bits = MARGIN_SD * float(gain_bits.std())
    p = p_not_above(gain_bits[rest], session, -margin_bits, seed)
    told = (
        f"On the {n:,} other steps it saves {mean_bits:+.3f} bit per step; that it loses "
        f"less than {margin_bits:.3f}"
        f" bit there has p = {p:.4f}, and at most {settings.alpha:.4f} is asked."
    )
    return (p <= settings.alpha, told, {"gain_bits": mean_bits, "margin_bits": margin_bits, "p": p})
