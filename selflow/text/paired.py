"""What an expert of lines says of each line before it comes, in the arrays that the gate judges."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selflow.text.evaluate import FIRST_FLOOR, FIRST_GUESSES
from selflow.text.lines import Floats, TextExpert, line_bits
from selflow.text.suggest import completions


@dataclass(frozen=True, slots=True)
class LineOutcomes:
    """How an expert did on each of n lines, (n,) each."""

    bits: Floats
    """-log2 of the line's probability, its end included."""
    hit_at_5: NDArray[np.bool_]
    """Whether it is among the first five guesses before the first key."""
    confidence: Floats
    """The stated probability of the first guess; 0 where nothing is likely enough to guess."""
    outcome: Floats
    """1 where the first guess was the line."""


def replay(
    expert: TextExpert, lines: Sequence[tuple[bytes, bytes]], *, learns: bool = True
) -> LineOutcomes:
    """Each line judged before the expert learns it; without ``learns`` it learns none of them.

    Cost: bench/text.py prints what a line costs; the guesses are a third of it.
    """
    judged = [_judge_line(expert, line, context, learns=learns) for line, context in lines]
    bits, hits, confidence, outcome = zip(*judged, strict=True) if judged else ((),) * 4
    return LineOutcomes(
        np.array(bits, np.float64),
        np.array(hits, np.bool_),
        np.array(confidence, np.float64),
        np.array(outcome, np.float64),
    )


def _judge_line(
    expert: TextExpert, line: bytes, context: bytes, *, learns: bool
) -> tuple[float, bool, float, float]:
    start = expert.start(context)
    bits = line_bits(start, line)
    guesses = completions(start, count=FIRST_GUESSES, floor=FIRST_FLOOR)
    if learns:
        expert.learn(line, context)
    first, confidence = guesses[0] if guesses else (None, 0.0)
    hit = any(guess == line for guess, _ in guesses)
    return bits, hit, confidence, float(first == line)
