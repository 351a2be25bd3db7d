"""What a replica has learned, and how far: one value that a checkpoint holds whole."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

from selflow.core.errors import ArtifactError
from selflow.core.events import Event, Stored
from selflow.core.settings import PredictSettings
from selflow.core.steps import Step
from selflow.predict import prior
from selflow.predict.grades import Grade
from selflow.predict.predictor import Predictor
from selflow.predict.steps import StepBuilder

_PREDICTOR, _STEPS, _PLACE = "predictor.msgpack", "steps.msgpack", "place.json"
_TAUGHT_DECISIONS = 1_024


class State:
    """Predictor, open bursts and the place in the log and among the outcomes.

    A pure function of (settings, events up to ``cursor``, outcomes up to ``outcome_number``, each applied at the
    cursor that was stored with it): the same inputs give the same state, bit for bit.
    """

    def __init__(self, settings: PredictSettings) -> None:
        """Know nothing but the shipped prior."""
        start = prior.shipped() if settings.use_prior else None
        self.predictor = Predictor(alpha=settings.share_alpha, prior=start)
        self.builder = StepBuilder(settings.burst_gap_s)
        self.cursor = 0
        self.outcome_number = 0
        self._settings = settings
        self._taught: dict[str, None] = {}

    def learn(self, stored: Stored) -> list[Grade]:
        """Take the next event of the log; every step that it completes is predicted, graded and learned."""
        self.cursor = stored.seq
        return [self.predictor.learn(step) for step in self.builder.feed(stored.event)]

    def teach(self, decision_id: str, context: Sequence[Step], step: Step) -> bool:
        """Learn what followed a context outside the log; False if that decision has taught already.

        The last 1,024 decisions are remembered for that.
        """
        if decision_id in self._taught:
            return False
        self._taught[decision_id] = None
        if len(self._taught) > _TAUGHT_DECISIONS:
            del self._taught[next(iter(self._taught))]
        self.predictor.learn_outcome(context, step)
        return True

    def steps_of(self, events: Iterable[Event]) -> list[Step]:
        """A context as steps, in the order of time; its last burst counts as complete."""
        builder = StepBuilder(self._settings.burst_gap_s)
        steps = [step for event in sorted(events, key=lambda event: event.ts_us) for step in builder.feed(event)]
        return steps + builder.close()

    def files(self) -> dict[str, bytes]:
        """The state as the files of an artifact."""
        place = {
            "cursor": self.cursor,
            "outcome_number": self.outcome_number,
            "taught": list(self._taught),
            "settings": _decisive(self._settings),
        }
        return {
            _PREDICTOR: self.predictor.save(),
            _STEPS: self.builder.save(),
            _PLACE: json.dumps(place, sort_keys=True).encode(),
        }

    @classmethod
    def load(cls, folder: Path, settings: PredictSettings) -> Self | None:
        """The state in an artifact; None if it was learned under other settings, so that it must be learned again.

        Raises:
            ArtifactError: The folder does not hold a state.
            ShapeError: It holds one of another version.
        """
        try:
            place: Mapping[str, object] = json.loads((folder / _PLACE).read_bytes())
            cursor, outcome_number, taught = place["cursor"], place["outcome_number"], place["taught"]
            predictor, steps = (folder / _PREDICTOR).read_bytes(), (folder / _STEPS).read_bytes()
        except (OSError, ValueError, KeyError) as error:
            raise ArtifactError(
                f"artifact {folder.name} holds no predictor", "learn again from the event log"
            ) from error
        if place.get("settings") != _decisive(settings):
            return None
        if not isinstance(cursor, int) or not isinstance(outcome_number, int) or not isinstance(taught, list):
            raise ArtifactError(f"artifact {folder.name} holds no predictor", "learn again from the event log")
        state = cls(settings)
        state.predictor = Predictor.load(predictor)
        state.builder = StepBuilder.load(steps)
        state.cursor, state.outcome_number = cursor, outcome_number
        state._taught = dict.fromkeys(taught)
        return state


def _decisive(settings: PredictSettings) -> dict[str, object]:
    """The settings that what is learned depends on."""
    return settings.model_dump(include={"share_alpha", "burst_gap_s", "use_prior"})
