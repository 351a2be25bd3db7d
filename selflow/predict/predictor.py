"""What comes next, from what came: the one door to prediction.

Every step is predicted before it is learned (test, then train), and nothing that is learned depends
on anything later. The state is a pure function of the steps: same steps, same answers, bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from selflow.core.errors import ShapeError, UsageError
from selflow.core.steps import Step
from selflow.predict.ensemble import Ensemble
from selflow.predict.experts import Expert, View
from selflow.predict.forecast import Forecast, Outcome
from selflow.predict.grades import Grade, grade_pool
from selflow.predict.memory import UserMemory
from selflow.predict.packing import pack_state, unpack_state
from selflow.predict.prior import Prior
from selflow.predict.shared_counts import EXPERT, SharedCounts
from selflow.predict.table import Floats
from selflow.predict.vocabulary import Vocabulary

STATE_SCHEMA = "selflow.predict.predictor/5"
MAX_LABELS = 20_000
MAX_USERS = 500
ALPHA = 0.01
_NAMED_EXPERTS = 3
"""Experts that an answer names for each label."""


@dataclass(frozen=True, slots=True)
class Guess:
    """One label of an answer, its probability, and the experts that gave most of it: names with
    their part of that probability.
    """

    label: str
    p: float
    experts: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A ranked answer. The guesses' probabilities and ``other_p`` sum to 1.

    ``other_p`` is everything that is not listed; ``new_p``, a part of it, is a label that was never
    seen before either.
    """

    guesses: tuple[Guess, ...]
    other_p: float
    new_p: float
    experts: tuple[tuple[str, float], ...]
    """The pool's weights, the largest first."""


class Predictor:
    """Count experts in a fixed-share pool, online rankers on top, calibrated; survives restarts by
    save and load.

    A step of several labels counts as one step: ``p`` is the probability that a member drawn from
    the next step is that label. Memory is bounded: at most ``max_labels`` labels, 500 users and
    30,000 rows per context; the label, user or row not used for longest goes first. Cost: 2 to
    3 ms per step learned, 1 ms per prediction.
    """

    def __init__(
        self,
        *,
        is_shared: bool = False,
        bars_current: bool = False,
        max_labels: int = MAX_LABELS,
        alpha: float = ALPHA,
        prior: Prior | None = None,
        experts: Sequence[Expert] = (),
    ) -> None:
        """A predictor that knows nothing but the prior.

        Args:
            is_shared: Several users: each has its own past, and experts over all users' counts join
                in.
            bars_current: The labels of the user's last step cannot come next
                (``steps.switches``).
            max_labels: Labels that are known at once.
            alpha: The pool's share: .01 for a long stream, .03 for a short one.
            prior: Weights to start from, and names for commands never seen (``prior.shipped()``).
            experts: More experts, such as the agents that had entered before a restart.
        """
        self._settings = [is_shared, bars_current, max_labels]
        self._bars_current = bars_current
        self._vocabulary = Vocabulary(max_labels)
        self._users: dict[str, UserMemory] = {}  # in the order of last use
        self._users_ever = 0
        self.steps_learned = 0
        self._ensemble = Ensemble(is_shared=is_shared, alpha=alpha, extra=experts)
        self._shared = SharedCounts(prior.programs if prior is not None else {})
        if prior is not None:
            self._ensemble.start_from(prior)

    @property
    def expert_names(self) -> tuple[str, ...]:
        """All experts of the pool, in the order of its weights."""
        return self._ensemble.pool.names

    @property
    def labels_known(self) -> int:
        """How many labels it knows now."""
        return len(self._vocabulary)

    def enter(self, expert: Expert) -> None:
        """Let an expert join the pool with weight alpha / N; UsageError if one of its name is
        there.
        """
        self._ensemble.enter(expert)

    def leave(self, name: str) -> None:
        """Take out an expert that has entered, by its name or its agent's; the others get its
        weight in proportion.
        """
        self._ensemble.leave(name)

    def predict(
        self, context: Sequence[Step] | None, now_us: int, top_k: int, without: str | None = None
    ) -> Prediction:
        """What comes next: at most ``top_k`` labels, in the order in which to name them.

        That order is not the one of their probabilities: it makes it likeliest that a member of the
        next step is named early (decision 0002).

        Args:
            context: None asks after the learned stream. Steps are taken as if they had just
                followed it (for the user of the last of them); labels that were never learned say
                nothing. No state changes.
            now_us: The moment of asking.
            top_k: How many labels.
            without: An expert that is left out, of those that entered, by its name or its agent's;
                the others share its weight in proportion.

        Raises:
            UsageError: ``top_k`` is less than 1, or no expert ``without`` has entered.
        """
        if top_k < 1:
            raise UsageError(f"invalid top_k: {top_k}", "ask for at least one label")
        forecast = self._forecast(self._memory(context), now_us, (), without)
        weights = self._ensemble.weights(without)
        indices = forecast.ranked(top_k)
        guesses = tuple(self._guess(forecast, index, weights) for index in indices)
        other_p = max(0.0, 1.0 - sum(guess.p for guess in guesses))
        named = zip(self._ensemble.pool.names, weights.tolist(), strict=True)
        ranked = tuple(sorted((item for item in named if item[1] > 0.0), key=lambda item: -item[1]))
        new_p = max(
            0.0,
            forecast.pool_new - sum(forecast.probability(index) for index in indices if index < 0),
        )
        return Prediction(guesses, other_p, min(new_p, other_p), ranked)

    def learn(self, step: Step) -> Grade:
        """Predict the step from what was before it, grade that, then learn the step. Raises
        UsageError for a step without labels.
        """
        return grade_pool(*self.test_then_train(step))

    def test_then_train(self, step: Step) -> tuple[Forecast, Outcome]:
        """As ``learn``; returns everybody's forecast and the outcome, for whoever grades every
        expert.
        """
        _refuse_empty(step)
        memory = self._memory_of(step.user)
        forecast, outcome, members = self._take_in(memory, step)
        memory.touch(step.ts_us, members)
        self._users[step.user] = self._users.pop(step.user, memory)
        self.steps_learned += 1
        self._stay_bounded()
        return forecast, outcome

    def learn_outcome(self, context: Sequence[Step] | None, step: Step) -> Grade:
        """Learn what followed a context that is not in the stream, such as that of a request with
        its outcome.

        Counts, weights, rankers and calibration learn it exactly as if the context had been the
        latest steps. The user's own past (last steps, last use, clock) stays as it is: the step did
        not happen in the stream.
        """
        _refuse_empty(step)
        if context:
            self._memory_of(context[-1].user)  # a user who is learned from has an id of their own
        forecast, outcome, _ = self._take_in(self._memory(context), step)
        self._stay_bounded()
        return grade_pool(forecast, outcome)

    def as_prior(self) -> Prior:
        """What another predictor may start from: how far to trust what; no label and no count."""
        return self._ensemble.as_prior()

    def save(self) -> bytes:
        """The whole state. ``load`` gives a predictor that answers and goes on bit for bit
        alike.
        """
        users = [[name, memory.state()] for name, memory in self._users.items()]
        state = [
            self._settings,
            self.steps_learned,
            self._users_ever,
            self._vocabulary.state(),
            users,
        ]
        return pack_state(
            STATE_SCHEMA,
            [
                *state,
                self._ensemble.pool.alpha,
                list(self.expert_names),
                self._ensemble.state(),
                *self._shared.state(),
            ],
        )

    @classmethod
    def load(cls, data: bytes, experts: Sequence[Expert] = ()) -> "Predictor":
        """The predictor that was saved; ``experts``: new ones of the same names as it had.

        Raises:
            ShapeError: The bytes are no saved predictor of this version, or its experts were
            others.
        """
        state = unpack_state(STATE_SCHEMA, data)
        try:
            (
                (is_shared, bars, max_labels),
                learned,
                ever,
                vocabulary,
                users,
                alpha,
                names,
                ensemble,
                *shared,
            ) = state
            predictor = cls(
                is_shared=is_shared,
                bars_current=bars,
                max_labels=max_labels,
                alpha=alpha,
                experts=experts,
            )
            if list(predictor.expert_names) != names:
                raise ValueError  # noqa: TRY301  (one answer to all that is wrong with the bytes)
            predictor._vocabulary.load_state(vocabulary)
            predictor._users = {name: UserMemory.load_state(memory) for name, memory in users}
            predictor._ensemble.load_state(ensemble)
            predictor._shared = SharedCounts.load_state(shared)
        except (ValueError, TypeError, KeyError, UsageError) as error:
            raise ShapeError(
                f"the {len(data):,} bytes are not a predictor with these experts",
                "learn again from the event log",
            ) from error
        predictor.steps_learned, predictor._users_ever = learned, ever
        return predictor

    def _take_in(self, memory: UserMemory, step: Step) -> tuple[Forecast, Outcome, list[int]]:
        labels = tuple(dict.fromkeys(step.labels))
        ids = [(label, self._vocabulary.find(label)) for label in labels]
        known = tuple(label_id for _, label_id in ids if label_id is not None)
        unseen = tuple(label for label, label_id in ids if label_id is None)
        outcome = Outcome(known, len(unseen), unseen)
        forecast = self._forecast(memory, step.ts_us, known)
        ordered = sorted(ids, key=lambda item: item[1] is None)
        members = [self._vocabulary.use(label) for label, _ in ordered]
        self._ensemble.learn(forecast, outcome, members)
        self._shared.learn(unseen, was_offered=bool(forecast.offered))
        return forecast, outcome, members

    def _forecast(
        self, memory: UserMemory, now_us: int, also: Sequence[int], without: str | None = None
    ) -> Forecast:
        view = View(
            memory.user, now_us, memory.history, memory.recent(), self._vocabulary, memory.moments
        )
        barred = memory.history[-1] if self._bars_current and memory.history else ()
        forecast = self._ensemble.ask(view, memory, also, barred, without)
        offered = self._shared.offer(view, forecast.pool_new)
        return replace(forecast, offered=offered) if offered else forecast

    def _memory_of(self, user: str) -> UserMemory:
        memory = self._users.get(user)
        if memory is None:
            memory = UserMemory(self._users_ever)
            self._users_ever += 1
            self._users[user] = memory
        return memory

    def _memory(self, context: Sequence[Step] | None) -> UserMemory:
        """The past as it would be after ``context``; the learned one is not touched."""
        user = context[-1].user if context else next(reversed(self._users), "")
        known = self._users.get(user)
        memory = known.fork() if known is not None else UserMemory(self._users_ever)
        for step in context or ():
            ids = (self._vocabulary.find(label) for label in step.labels)
            memory.touch(step.ts_us, [label_id for label_id in ids if label_id is not None])
        return memory

    def _guess(self, forecast: Forecast, index: int, weights: Floats) -> Guess:
        if index < 0:
            return Guess(*forecast.offered[-1 - index], ((EXPERT, 1.0),))
        parts = weights * forecast.p[:, index]
        parts = parts / max(float(parts.sum()), 1e-300)
        strongest = np.argsort(-parts, kind="stable")[:_NAMED_EXPERTS]
        names = self._ensemble.pool.names
        experts = tuple((names[i], float(parts[i])) for i in strongest if parts[i] > 0.0)
        return Guess(
            self._vocabulary.label(int(forecast.ids[index])), float(forecast.pool[index]), experts
        )

    def _stay_bounded(self) -> None:
        gone = self._vocabulary.surplus()
        if gone:
            self._ensemble.forget(gone)
            for memory in self._users.values():
                memory.forget(gone)
            self._vocabulary.forget(gone)
        if len(self._users) > MAX_USERS:
            del self._users[next(iter(self._users))]


def _refuse_empty(step: Step) -> None:
    if not step.labels:
        raise UsageError("invalid step: it has no labels", "leave it out")
