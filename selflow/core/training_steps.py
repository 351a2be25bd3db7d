"""What long work tells of itself after each of its steps."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepReport:
    """``step`` of ``steps`` is done. ``loss_bits`` is the training loss of this step, None where
    the work has none; ``tokens`` are those read so far.
    """

    step: int
    steps: int
    loss_bits: float | None = None
    tokens: int = 0


OnStep = Callable[[StepReport], None]
