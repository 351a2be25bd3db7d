"""What an expert of lines says of each line before it comes, in the arrays that the gate judges."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selflow.text.completions import completions
from selflow.text.evaluate import FIRST_GUESSES
from selflow.text.examples import OwnLine
from selflow.text.lines import Floats, line_bits
from selflow.text.mixer import Mixer
from selflow.text.precision_bound import SEARCH_FLOOR
from selflow.text.suggest import first_guesses


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


def replay(expert: Mixer, lines: Sequence[OwnLine], *, learns: bool = True) -> LineOutcomes:
    """Each line judged before the expert learns it; without ``learns`` it learns none of them.

    Cost: bench/text.py prints what a line costs; the guesses are a third of it.
    """
    judged = [_judge_line(expert, line, learns=learns) for line in lines]
    bits, hits, confidence, outcome = zip(*judged, strict=True) if judged else ((),) * 4
    return LineOutcomes(
        np.array(bits, np.float64),
        np.array(hits, np.bool_),
        np.array(confidence, np.float64),
        np.array(outcome, np.float64),
    )


def _judge_line(expert: Mixer, own: OwnLine, *, learns: bool) -> tuple[float, bool, float, float]:
    line, context = own.text, own.context
    expert.read_ahead(line, context)
    start = expert.start(context)
    bits = line_bits(start, line)
    likeliest = completions(start, count=1, floor=SEARCH_FLOOR)
    hit = line in first_guesses(start, FIRST_GUESSES, SEARCH_FLOOR)
    if learns:
        expert.learn(line, context, own.weight)
    first, confidence = likeliest[0] if likeliest else (None, 0.0)
    return bits, hit, confidence, float(first == line)
