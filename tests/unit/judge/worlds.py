"""Evidence of which the truth is known: drawn losses, and small pools with a candidate that learned
or did not.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from selflow.core.settings import GateSettings
from selflow.core.steps import Step
from selflow.judge.gate import Evidence, Outcomes, judge
from selflow.judge.ledger import next_opening

FIRST_US = 1_700_000_000_000_000
MINUTE_US, DAY_US = 60_000_000, 86_400_000_000
Floats = NDArray[np.float64]


def steps_of(sessions: Sequence[int]) -> list[Step]:
    """Steps a minute apart, in sessions of these lengths, each on a day of its own."""
    return [
        Step(FIRST_US + day * DAY_US + minute * MINUTE_US, (f"{day}/{minute}",))
        for day, steps in enumerate(sessions)
        for minute in range(steps)
    ]


def drawn_sessions(rng: np.random.Generator, n: int) -> NDArray[np.int64]:
    """(n,) session of each step: lengths are geometric, 12 steps in the mean."""
    return np.cumsum(rng.random(n) < 1 / 12)


def noise(rng: np.random.Generator, n: int, rho: float) -> Floats:
    """(n,) standard normal; neighbours correlate with ``rho``."""
    x = rng.standard_normal(n) * np.where(np.arange(n) > 0, (1 - rho**2) ** 0.5, 1.0)
    return np.asarray(lfilter([1.0], [1.0, -rho], x))


def drawn(
    rng: np.random.Generator,
    n_own: int,
    n_rest: int,
    gain_bits: float,
    rho: float = 0.0,
    rest_gain_bits: float = 0.0,
) -> Evidence:
    """A candidate that saves ``gain_bits`` on its own slice and ``rest_gain_bits`` elsewhere, sd 1
    bit per step.

    A step that it makes 1.5 bits easier becomes a hit, one that it makes so much harder a miss.
    """
    n = n_own + n_rest
    session = drawn_sessions(rng, n)
    order = np.argsort(rng.permutation(session[-1] + 1)[session], kind="stable")
    in_slice = np.zeros(n, dtype=bool)
    in_slice[order[:n_own]] = True
    d = noise(rng, n, rho) + np.where(in_slice, gain_bits, rest_gain_bits)
    bits, hits = 6 + rng.random(n), rng.random(n) < 0.5
    joined_hits = np.where(d > 1.5, True, np.where(d < -1.5, False, hits))
    ts_us = FIRST_US + session * DAY_US + np.arange(n) * MINUTE_US
    sure, came = np.full(n, 0.5), (np.arange(n) % 2).astype(float)
    without, joined = Outcomes(bits, hits, sure, came), Outcomes(bits - d, joined_hits, sure, came)
    return Evidence(ts_us, in_slice, without, joined)


def pools(
    rng: np.random.Generator, n: int, *, is_shuffled: bool, labels: int = 12, share: float = 0.02
) -> Evidence:
    """A fixed-share pool of label counts and the uniform, and the same with a candidate that
    learned who follows whom.

    The stream: a label follows its predecessor by a fixed rule in 40% of all steps. The candidate
    counted pairs in 3,000 earlier steps; ``is_shuffled``: of targets in another order.
    """
    follows = rng.permutation(labels)
    y = rng.integers(0, labels, 3_000 + n)
    for t in np.flatnonzero(rng.random(len(y)) < 0.4):
        y[t] = follows[y[t - 1]]
    targets = rng.permutation(y[1:3_000]) if is_shuffled else y[1:3_000]
    pairs = np.full((labels, labels), 0.5)
    np.add.at(pairs, (y[:2_999], targets), 1.0)
    pairs /= pairs.sum(axis=1, keepdims=True)
    counts = np.bincount(y[:3_000], minlength=labels) + 1.0
    said = np.empty((n, 3, labels))
    for i in range(n):
        said[i] = counts / counts.sum(), np.full(labels, 1 / labels), pairs[y[2_999 + i]]
        counts[y[3_000 + i]] += 1
    session = drawn_sessions(rng, n)
    ts_us = FIRST_US + session * DAY_US + np.arange(n) * MINUTE_US
    without, joined = (_mixed(said[:, :experts], y[3_000:], share) for experts in (2, 3))
    return Evidence(ts_us, np.ones(n, dtype=bool), without, joined)


def _mixed(said: Floats, y: NDArray[np.int64], share: float) -> Outcomes:
    weights = np.full(said.shape[1], 1 / said.shape[1])
    p = np.empty((len(y), said.shape[2]))
    for t, label in enumerate(y):
        p[t] = weights @ said[t]
        weights *= said[t, :, label] / p[t, label]
        weights = (1 - share) * weights + share / len(weights)
    came, best = p[np.arange(len(y)), y], np.argmax(p, axis=1)
    rank = (p > came[:, None]).sum(axis=1)
    return Outcomes(-np.log2(came), rank < 5, p.max(axis=1), (best == y).astype(float))


@dataclass(frozen=True, slots=True)
class Look:
    """An entry of the gate's ledger."""

    gate_set: str
    first_us: int
    last_us: int


def false_passes(seed: int, cycles: int = 20, first: int = 5_000, more: int = 150) -> list[int]:
    """Of each gate set the number of candidates that pass although they add nothing: one candidate
    per cycle, on the last fifth of a stream that grows by ``more`` steps a cycle.
    """
    rng, settings = np.random.default_rng(seed), GateSettings(min_gain_bits=0.0)
    looks: list[Look] = []
    passed: Counter[str] = Counter()
    for cycle in range(cycles):
        n = first + cycle * more
        begin = n * 8 // 10
        evidence = drawn(rng, n - begin, 0, 0.0)
        moments = FIRST_US + np.arange(begin, n) * MINUTE_US
        look = next_opening(f"set {cycle}", moments, looks)
        if look is not None:
            gate_set, opening = look
            looks.append(Look(gate_set, int(moments[0]), int(moments[-1])))
            figures = judge(evidence, settings, opening, seed).numbers
            passed[gate_set] += bool(figures["slice_is_met"])
    return [passed[name] for name in dict.fromkeys(look.gate_set for look in looks)]
