"""What a replica has learned, and how far: one value that a checkpoint holds whole."""

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

from selflow.core.errors import ArtifactError, NotRunningError, SelFlowError
from selflow.core.events import Event, Stored
from selflow.core.scores import LabelScores, NextScorer
from selflow.core.settings import PredictSettings
from selflow.core.steps import Step
from selflow.predict import prior
from selflow.predict.agents import ModelExpert
from selflow.predict.grades import Grade
from selflow.predict.predictor import Predictor
from selflow.predict.steps import StepBuilder
from serve.text_state import TextSnapshot

_PREDICTOR, _STEPS, _POSITION = "predictor.msgpack", "steps.msgpack", "place.json"
_TEXT = "text.msgpack"
_TAUGHT_DECISIONS = 1_024
_log = logging.getLogger(__name__)


class AgentSlot:
    """An agent's place in the pool. Who speaks from it may change without the pool noticing."""

    def __init__(self, name: str, version: str) -> None:
        self.name = name
        self.version = version
        self.speaker: NextScorer | None = None
        self.trouble = ""

    def score(self, history: Sequence[Step], now_us: int) -> LabelScores:
        """What the agent says of the next step.

        Raises:
            SelFlowError: Nothing; ``trouble`` says why, and the pool goes on without it.
        """
        try:
            if self.speaker is None:
                raise NotRunningError("its model is not loaded", "see selflow logs")
            scores = self.speaker.score(history, now_us)
        except SelFlowError as error:
            if not self.trouble:
                _log.warning("agent %s@%s makes no prediction: %s", self.name, self.version, error)
            self.trouble = f"agent {self.name}@{self.version}: {error}"
            raise
        self.trouble = ""
        return scores


class Position(NamedTuple):
    """How far a state has come: events, outcomes, comings and goings of agents, and the events that
    lines were learned from.
    """

    events: int = 0
    outcomes: int = 0
    seatings: int = 0
    text_events: int = 0


class State:
    """Predictor, open bursts and the place in the log and among the outcomes.

    A pure function of (settings, events up to ``cursor``, outcomes up to ``outcome_number``, each
    applied at the cursor that was stored with it): the same inputs give the same state, bit for
    bit. With agents it is one of their comings and goings too, which is why it is saved at each of
    these.
    """

    def __init__(self, settings: PredictSettings) -> None:
        """Know nothing but the shipped prior."""
        start = prior.shipped() if settings.use_prior else None
        self.predictor = Predictor(alpha=settings.share_alpha, prior=start)
        self.builder = StepBuilder(settings.burst_gap_s)
        self.cursor = 0
        self.outcome_number = 0
        self.slots: dict[str, AgentSlot] = {}
        self.seatings = 0
        self.text = TextSnapshot()
        """What was learned of lines, with its own place in the log."""
        self._settings = settings
        self._taught: dict[str, None] = {}

    def seat(self, agents: Mapping[str, tuple[str, NextScorer]]) -> bool:
        """Make these the agents of the pool, by name: version and speaker. True if any came or
        went.
        """
        before = {name: seat.version for name, seat in self.slots.items()}
        after = {name: version for name, (version, _) in agents.items()}
        for name in [name for name, version in before.items() if after.get(name) != version]:
            self.predictor.leave(name)
            del self.slots[name]
        for name, (version, speaker) in agents.items():
            if name not in self.slots:
                self.slots[name] = AgentSlot(name, version)
                self.predictor.enter(ModelExpert(self.slots[name]))
            self.slots[name].speaker = speaker
        self.seatings += before != after
        return before != after

    @property
    def position(self) -> "Position":
        """How far it has come."""
        return Position(self.cursor, self.outcome_number, self.seatings, self.text.cursor)

    def learn(self, stored: Stored) -> list[Grade]:
        """Take the next event of the log; every step that it completes is predicted, graded and
        learned.
        """
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
        steps = [
            step
            for event in sorted(events, key=lambda event: event.ts_us)
            for step in builder.feed(event)
        ]
        return steps + builder.close()

    def files(self) -> dict[str, bytes]:
        """The state as the files of an artifact."""
        position = {
            "cursor": self.cursor,
            "outcome_number": self.outcome_number,
            "taught": list(self._taught),
            "settings": _decisive(self._settings),
            "agents": [[seat.name, seat.version] for seat in self.slots.values()],
            "seatings": self.seatings,
            "text_cursor": self.text.cursor,
        }
        return {
            _PREDICTOR: self.predictor.save(),
            _STEPS: self.builder.save(),
            _POSITION: json.dumps(position, sort_keys=True).encode(),
            _TEXT: self.text.data,
        }

    @classmethod
    def load(cls, folder: Path, settings: PredictSettings) -> Self | None:
        """The state in an artifact; None if it was learned under other settings, so that it must be
        learned again.

        Its agents have their slots and no speakers: ``seat`` comes before anything is learned.

        Raises:
            ArtifactError: The folder does not hold a state. ShapeError: It holds one of another
            version.
        """
        try:
            position: Mapping[str, object] = json.loads((folder / _POSITION).read_bytes())
            cursor, outcome_number, taught = (
                position["cursor"],
                position["outcome_number"],
                position["taught"],
            )
            agents, seatings = position["agents"], position["seatings"]
            predictor, steps = (folder / _PREDICTOR).read_bytes(), (folder / _STEPS).read_bytes()
            text_cursor, text = position["text_cursor"], (folder / _TEXT).read_bytes()
        except (OSError, ValueError, KeyError) as error:
            raise ArtifactError(
                f"artifact {folder.name} is not a predictor", "learn again from the event log"
            ) from error
        if position.get("settings") != _decisive(settings):
            return None
        if not (
            isinstance(cursor, int)
            and isinstance(outcome_number, int)
            and isinstance(seatings, int)
            and isinstance(text_cursor, int)
            and isinstance(taught, list)
            and isinstance(agents, list)
        ):
            raise ArtifactError(
                f"artifact {folder.name} is not a predictor", "learn again from the event log"
            )
        state = cls(settings)
        state.slots = {name: AgentSlot(name, version) for name, version in agents}
        state.predictor = Predictor.load(
            predictor, [ModelExpert(seat) for seat in state.slots.values()]
        )
        state.builder = StepBuilder.load(steps)
        state.cursor, state.outcome_number, state.seatings = cursor, outcome_number, seatings
        state.text = TextSnapshot(text_cursor, text)
        state._taught = dict.fromkeys(taught)
        return state


def _decisive(settings: PredictSettings) -> dict[str, object]:
    """The settings that what is learned depends on."""
    return settings.model_dump(include={"share_alpha", "burst_gap_s", "use_prior"})
