"""Prediction with memory: answers, remembers what it answered, and learns from the log and from
outcomes.

No HTTP, no Ray, no thread: the caller makes sure that calls do not overlap.
"""

import hashlib
import logging
import math
import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from selflow.core.clock import Clock, rfc3339
from selflow.core.codec import WireLimits, event_from_json, event_to_json
from selflow.core.errors import ApiError, StoreError, WireError
from selflow.core.events import Event, Json, Stored
from selflow.core.ids import new_id
from selflow.core.ports import Redactor
from selflow.core.scores import BASE_EXPERT
from selflow.core.steps import Step, event_label, label_event
from selflow.predict.predictor import Prediction
from selflow.route.arms import POOL, left_out, prediction_arms
from selflow.sdk.wire import (
    KEPT_PREDICTIONS,
    FeedbackAnswer,
    FeedbackRequest,
    Guess,
    OutcomeLabel,
    PredictAnswer,
    PredictRequest,
    Share,
    SuggestAnswer,
    SuggestRequest,
)
from selflow.store.catalog import Catalog
from selflow.store.decisions import FEEDBACK_LIMIT_US
from selflow.store.outcomes import stored_outcome
from selflow.store.records import Decision, Feedback
from serve.checkpoints import Checkpoints
from serve.model_registry import PREDICT, ModelRegistry, Speakers
from serve.ratings import FIXED_METRICS, OUTCOME, check_value, labels_of
from serve.request_metrics import RequestMetrics
from serve.suggestions import Suggestions
from serve.text_state import TextSnapshot

_ALL_CANDIDATES = 96
"""As many labels as the predictor ranks; asked for when only some kinds are wanted."""
_LEAST_P = 1e-12
_ROWS = 500
_TEXT_ID = re.compile(r"^(?:chat)?cmpl-")
"""A text's id stands for its decision's."""
_log = logging.getLogger(__name__)


class PredictionService:
    """The rules of ``POST /v1/predict`` and ``POST /v1/feedback`` over a catalog and a state."""

    def __init__(  # noqa: PLR0913, PLR0917  (each is one collaborator)
        self,
        catalog: Catalog,
        suggestions: Suggestions,
        checkpoints: Checkpoints,
        redactor: Redactor,
        registry: ModelRegistry,
        clock: Clock,
        request_metrics: RequestMetrics,
        checkpoint_steps: int,
    ) -> None:
        """Take up the newest state; outcomes that it has not seen wait for their place in
        the log.
        """
        self._catalog = catalog
        self._suggestions = suggestions
        self._checkpoints = checkpoints
        self._redactor = redactor
        self._fleet = registry
        self._clock = clock
        self._meters = request_metrics
        self._checkpoint_steps = checkpoint_steps
        self._state, self._trouble = checkpoints.open()
        self._unsaved_steps = 0
        self._waiting: deque[Feedback] = deque()
        self._read_number = self._state.outcome_number
        self._read_outcomes()

    @property
    def cursor(self) -> int:
        """The sequence number of the last event that was learned from."""
        return self._state.cursor

    @property
    def text(self) -> TextSnapshot:
        """What the newest checkpoint holds of lines of text."""
        return self._state.text

    @property
    def last_error(self) -> str:
        """What is wrong with the state on disk or with an agent; empty if nothing is."""
        troubles = [self._trouble, *(seat.trouble for seat in list(self._state.slots.values()))]
        return "; ".join(trouble for trouble in troubles if trouble)

    def seat(self, agents: Speakers) -> None:
        """Make these the agents of the pool; a coming or going is saved at once, so that a replay
        knows its place.
        """
        if self._state.seat(agents):
            self.checkpoint()

    def predict(self, request: PredictRequest) -> tuple[PredictAnswer, Mapping[str, Json] | None]:
        """Rank what comes next, and say how a routed request was routed. The decision is durable
        before that.

        Raises:
            ApiError: ``validation_failed`` names the event of the context that breaks the schema.
            StoreError: The decision could not be stored; there is no answer then.

        Cost: 1 to 3 ms of computing and one durable transaction.
        """
        now_us, started_s = self._clock.now_us(), self._clock.monotonic_s()
        context = self._context(request.context, now_us) if request.context else None
        steps = self._state.steps_of(context) if context else self._state.builder.open_steps()
        moment_us = steps[-1].ts_us if context and steps else now_us
        top_k = _ALL_CANDIDATES if request.kinds else KEPT_PREDICTIONS
        slots = self._state.slots.values()
        arms = prediction_arms(
            {slot.name: slot.version for slot in slots if slot.name != BASE_EXPERT}
        )
        routing = self._fleet.choose(PREDICT, arms) if request.mode == "routed" else None
        without = left_out(str(routing["arm"])) if routing else None
        prediction = self._state.predictor.predict(steps or None, moment_us, top_k, without=without)
        if routing:
            routing |= {"latency_s": self._clock.monotonic_s() - started_s, "tokens": 0}
        guesses = _guesses(prediction, request.kinds)
        experts = [Share(id=name, weight=weight) for name, weight in prediction.experts]
        decision = Decision(
            id=new_id("dec"),
            at_us=now_us,
            mode=request.mode,
            upto_seq=self.cursor,
            predictions=[guess.model_dump() for guess in guesses],
            experts=[share.model_dump() for share in experts],
            context=[event_to_json(event) for event in context] if context else None,
            routing=routing,
        )
        self._catalog.decisions.record(decision)
        arm, explored = (routing["arm"], routing["explored"]) if routing else (POOL, False)
        self._meters.decided(str(arm), explored=bool(explored))
        shown = guesses[: request.top_k]
        answer = PredictAnswer(
            decision_id=decision.id,
            at=rfc3339(now_us),
            predictions=shown,
            other_p=max(0.0, 1.0 - math.fsum(guess.p for guess in shown)),
            experts=experts,
        )
        return answer, routing

    def suggest_path(
        self, request: SuggestRequest, asked_s: float, *, is_stored: bool
    ) -> SuggestAnswer:
        """Complete a path by the pool's next files.

        Raises:
            StoreError: The decision could not be stored.
        """
        steps, now_us = self._state.builder.open_steps(), self._clock.now_us()
        prediction = self._state.predictor.predict(steps or None, now_us, _ALL_CANDIDATES)
        named = ((*label_event(guess.label), guess.p) for guess in prediction.guesses)
        files = [(subject, p) for kind, subject, p in named if kind.startswith("file.")]
        return self._suggestions.paths(
            request, files, prediction.other_p, asked_s, is_stored=is_stored
        )

    def feedback(self, request: FeedbackRequest, idempotency_key: str) -> FeedbackAnswer:
        """Keep a word on a decision; an outcome also grades it and, if it had a context, teaches.

        Raises:
            ApiError: ``validation_failed``, ``decision_not_found``, ``episode_not_found``,
            ``too_late``. StoreError: Nothing was kept.
        """
        target_id = request.decision_id or request.inference_id
        if target_id is None:
            raise ApiError(
                404, "episode_not_found", "there is no episode of this id", "send a decision_id"
            )
        decision_id = _TEXT_ID.sub("dec_", target_id)
        now_us = self._clock.now_us()
        said = request.value if isinstance(request.value, str) else ""
        redacted = self._redactor.redact(
            Event(now_us, "feedback", "feedback", said, data=request.tags)
        )
        labels = self._labels(request.value, now_us) if request.metric_name == OUTCOME else ()
        if not labels:
            check_value(request.metric_name, request.value)
        decision = self._suggestions.decisions.find(decision_id)
        if decision is None:
            raise ApiError(
                404,
                "decision_not_found",
                "there is no decision of this id",
                "use the decision_id of a prediction",
            )
        if labels and not decision.is_prediction:
            raise ApiError(
                400,
                "validation_failed",
                "metric_name: outcome applies to predictions; this decision is a text",
            )
        graded = _grade(decision, labels) if labels else FeedbackAnswer(feedback_id=None)
        if request.dryrun:
            if now_us - decision.at_us > FEEDBACK_LIMIT_US:
                raise ApiError(409, "too_late", "the decision is older than 30 days")
            return graded.model_copy(update={"feedback_id": None})
        value: Json
        if labels:
            value = stored_outcome([(one.kind, one.subject) for one in labels], self.cursor)
        else:
            value = redacted.subject if said else request.value
        key = _scoped_key(idempotency_key, decision.id, request.metric_name)
        self._suggestions.decisions.settle(decision.id)
        feedback_id = self._catalog.feedback.record(
            decision.id, request.metric_name, value, redacted.data, now_us, key
        )
        self._meters.rated(request.metric_name if request.metric_name in FIXED_METRICS else "own")
        if request.value is not False:
            self._suggestions.count(decision, request.metric_name)
        self._read_outcomes()
        self._teach_due()
        return graded.model_copy(update={"feedback_id": feedback_id})

    def learn(self, events: Sequence[Stored]) -> None:
        """Learn the next events of the log, each outcome at its place among them; now and then
        save. The owner's corrections come with them: they are stored by the supervisor.
        """
        try:
            self._read_outcomes()
        except StoreError as error:  # they wait, and are read with the next events
            _log.warning("outcomes were not read: %s", error)
        for stored in events:
            self._teach_due()
            for grade in self._state.learn(stored):
                self._meters.scored(grade.log_loss_bits)
                self._unsaved_steps += 1
        self._teach_due()
        if self._unsaved_steps >= self._checkpoint_steps:
            self.checkpoint()

    def save_text(self, text: TextSnapshot) -> None:
        """Keep what was learned of lines, and save everything."""
        self._state.text = text
        self.checkpoint()

    def checkpoint(self) -> None:
        """Save what was learned. A disk that refuses costs nothing but a longer replay: it is said
        in the health.
        """
        try:
            self._checkpoints.save(self._state)
        except StoreError as error:
            self._trouble = str(error)
            _log.warning("the predictor was not saved: %s", error)
        else:
            self._trouble = ""
        self._unsaved_steps = 0

    def close(self) -> None:
        """Save what was learned and let go of the catalog."""
        self.checkpoint()
        self._catalog.close()

    def _context(self, raw: Sequence[dict[str, Any]], now_us: int) -> list[Event]:
        events = []
        for index, item in enumerate(raw):
            try:
                events.append(self._redactor.redact(event_from_json(item, now_us, WireLimits())))
            except WireError as error:
                raise ApiError(
                    400, "validation_failed", f"context.{index}: {error.code}: {error}"
                ) from error
        return events

    def _labels(self, value: object, now_us: int) -> tuple[OutcomeLabel, ...]:
        events = (
            self._redactor.redact(Event(now_us, "feedback", one.kind, one.subject))
            for one in labels_of(value)
        )
        return tuple(OutcomeLabel(kind=event.kind, subject=event.subject) for event in events)

    def _read_outcomes(self) -> None:
        while rows := self._catalog.feedback.after(self._read_number, _ROWS):
            self._read_number = rows[-1].number
            self._waiting.extend(row for row in rows if row.metric == OUTCOME)

    def _teach_due(self) -> None:
        """Apply the outcomes whose place has come, in the order in which they were stored."""
        while self._waiting and _after_seq(self._waiting[0]) <= self.cursor:
            self._teach(self._waiting.popleft())

    def _teach(self, row: Feedback) -> None:
        self._state.outcome_number = row.number
        decision = self._catalog.decisions.find(row.decision_id)
        if decision is None or decision.context is None or not isinstance(row.value, dict):
            # Asked after the live tail: the log itself brings what came next, and must not teach it
            # twice.
            return
        context = [
            event_from_json(event, decision.at_us, WireLimits()) for event in decision.context
        ]
        steps = self._state.steps_of(context)
        if not steps:
            return
        listed: Any = row.value["labels"]
        labels = tuple(event_label(kind, subject) for kind, subject in listed)
        self._unsaved_steps += self._state.teach(decision.id, steps, Step(steps[-1].ts_us, labels))


def _guesses(prediction: Prediction, kinds: Sequence[str] | None) -> list[Guess]:
    guesses: list[Guess] = []
    for guess in prediction.guesses:
        kind, subject = label_event(guess.label)
        if kinds is None or kind in kinds:
            said = [Share(id=name, weight=part) for name, part in guess.experts]
            guesses.append(Guess(kind=kind, subject=subject, p=guess.p, experts=said))
    return guesses[:KEPT_PREDICTIONS]


def _grade(decision: Decision, labels: Sequence[OutcomeLabel]) -> FeedbackAnswer:
    """How good the decision was, by what it said then: a guess hits if it names any member of the
    step.

    The log-loss is the mean over the members of -log2 p; a member that was not listed has the
    probability of "none of these".
    """
    guesses = [Guess.model_validate(guess) for guess in decision.predictions]
    came = {(label.kind, label.subject) for label in labels}
    listed = {(guess.kind, guess.subject): guess.p for guess in guesses}
    other_p = 1.0 - math.fsum(listed.values())
    bits = [-math.log2(max(_LEAST_P, listed.get(label, other_p))) for label in came]
    hits = [(guess.kind, guess.subject) in came for guess in guesses]
    return FeedbackAnswer(
        feedback_id=None,
        hit_at_1=any(hits[:1]),
        hit_at_5=any(hits[:5]),
        log_loss_bits=math.fsum(bits) / len(bits),
    )


def _after_seq(row: Feedback) -> int:
    after_seq = row.value.get("after_seq") if isinstance(row.value, dict) else None
    return after_seq if isinstance(after_seq, int) else 0


def _scoped_key(key: str, decision_id: str, metric: str) -> str | None:
    """A caller's key belongs to one decision and one metric: used again for another, it is another
    key.
    """
    return hashlib.sha256(f"{key}\n{decision_id}\n{metric}".encode()).hexdigest() if key else None
