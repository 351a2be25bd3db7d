"""How sure a cluster is, by name, and whether it may have an agent."""

from typing import Literal

from selflow.discover.advantage import LEAST_GAIN_BITS, Advantage

Grade = Literal["strong", "pattern", "tentative", "weak"]
GRADES: tuple[tuple[Grade, float], ...] = (("strong", 0.85), ("pattern", 0.75), ("tentative", 0.6))
"""Least agreement of each. Source: Hennig 2007 (fpc::clusterboot) reads J so."""
GATE_PER_TRAIN = 20 / 70
"""Steps in the gate part for each step in the train part, if a pattern goes on as it was."""


def grade(agreement: float) -> Grade:
    """The name of an agreement J."""
    return next((name for name, least in GRADES if agreement >= least), "weak")


def why_not(
    agreement: float,
    steps: int,
    advantage: Advantage | None,
    alive_cycles: int | None,
    *,
    min_agreement: float,
    min_gate_steps: int,
    min_cycles: int,
) -> str:
    """The first reason why a cluster gets no agent, in words for its owner; empty if it may.

    Args:
        agreement: J.
        steps: Of the train part, in the cluster.
        advantage: What its past is worth; None if that could not be measured.
        alive_cycles: Cycles in a row that have found it; None where none was looked at.
        min_agreement: From which J on a cluster is a pattern.
        min_gate_steps: That the gate asks for: with fewer there would be no verdict.
        min_cycles: In a row: what one cycle alone has found may be chance.
    """
    if agreement < min_agreement:
        return f"found again with agreement {agreement:.2f}; an agent needs {min_agreement:.2f}"
    expected = int(steps * GATE_PER_TRAIN)
    if expected < min_gate_steps:
        return f"about {expected:,} gate steps expected; a verdict needs {min_gate_steps:,}"
    if advantage is None:
        return "too few later events to tell whether its past predicts them"
    if not advantage.is_enough:
        least = max(LEAST_GAIN_BITS, advantage.random_bits)
        return (
            f"its past predicts its future by {advantage.bits:.2f} bits per event better than "
            f"random windows; an agent needs {least:.2f}"
        )
    if alive_cycles is not None and alive_cycles < min_cycles:
        return f"alive {alive_cycles} of {min_cycles} cycles"
    return ""
