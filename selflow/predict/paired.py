"""What an expert contributes: the same pool over the same steps, with it and without it."""

from collections.abc import Sequence
from dataclasses import dataclass

from selflow.core.steps import Step
from selflow.predict.agents import RecordedExpert
from selflow.predict.grades import Tally
from selflow.predict.predictor import ALPHA, Predictor
from selflow.predict.prior import Prior


@dataclass(frozen=True, slots=True)
class PairedBaseline:
    """A pool that has learned the past, without any agent; what comes next can be tried again and
    again.
    """

    state: bytes

    @classmethod
    def learn(
        cls, steps: Sequence[Step], *, alpha: float = ALPHA, prior: Prior | None = None
    ) -> "PairedBaseline":
        """A pool after these steps."""
        predictor = Predictor(alpha=alpha, prior=prior)
        for step in steps:
            predictor.learn(step)
        return cls(predictor.save())

    def replay(self, steps: Sequence[Step], experts: Sequence[RecordedExpert] = ()) -> Tally:
        """Go on over later steps, with these agents entering before the first; changes neither this
        nor them.
        """
        predictor = Predictor.load(self.state)
        for expert in experts:
            predictor.enter(expert.rewound())
        return Tally([predictor.learn(step) for step in steps])

    def save(self) -> bytes:
        return self.state

    @classmethod
    def load(cls, data: bytes) -> "PairedBaseline":
        return cls(data)
