"""The laws of an expert: whoever writes an expert of the pool can check it.

from selflow.testing import check_expert

check_expert(lambda: MyExpert(seed=7))
"""

from collections.abc import Callable, Sequence

import msgpack
import numpy as np

from selflow.core.steps import Step
from selflow.predict.experts import Expert, View
from selflow.predict.memory import UserMemory
from selflow.predict.table import Floats
from selflow.predict.vocabulary import Vocabulary
from selflow.testing.claims import holds
from selflow.testing.streams import other_steps, single, work

Make = Callable[[], Expert]
Law = Callable[[Make], None]
Distribution = tuple[Floats, Floats]
"""(k, n) of all known labels and (k,) of NEW."""

_USERS = ("ann", "bob")


class Walk:
    """Leads one expert through a stream as the predictor would; several walks see the same
    views.
    """

    def __init__(self, expert: Expert) -> None:
        self.expert = expert
        self.vocabulary = Vocabulary(10_000)
        self._memories: dict[str, UserMemory] = {}
        self._labels: dict[str, None] = {}

    def view(self, step: Step) -> View:
        """What is known before the step."""
        memory = self._memories.setdefault(step.user, UserMemory(len(self._memories)))
        return View(
            memory.user,
            step.ts_us,
            memory.history,
            memory.recent(),
            self.vocabulary,
            memory.moments,
        )

    def distribution(self, step: Step) -> Distribution:
        """What the expert says of every known label and of NEW."""
        ids = np.array([self.vocabulary.find(label) for label in self._labels], dtype=np.int64)
        p, p_new = self.expert.ask(self.view(step)).score(ids)
        return p.copy(), p_new.copy()

    def learn(self, step: Step) -> list[int]:
        """The step came."""
        view = self.view(step)
        labels = sorted(step.labels, key=lambda label: label not in self._labels)
        n_new = sum(label not in self._labels for label in labels)
        members = [self.vocabulary.use(label) for label in labels]
        self._labels.update(dict.fromkeys(labels))
        self.expert.learn(view, members, n_new)
        self._memories[step.user].touch(step.ts_us, members)
        return members

    def forget(self, labels: Sequence[str]) -> None:
        """Labels go, everywhere."""
        gone = frozenset(y for y in map(self.vocabulary.find, labels) if y is not None)
        self.expert.forget(gone)
        for memory in self._memories.values():
            memory.forget(gone)
        self.vocabulary.forget(gone)
        self._labels = {label: None for label in self._labels if label not in set(labels)}

    def run(self, steps: Sequence[Step]) -> list[Distribution]:
        """Asked before every step, told after it."""
        distributions = []
        for step in steps:
            distributions.append(self.distribution(step))
            self.learn(step)
        return distributions


def _are_alike(one: Sequence[Distribution], other: Sequence[Distribution]) -> bool:
    pairs = zip(one, other, strict=True)
    return all(
        a[0].tobytes() == b[0].tobytes() and a[1].tobytes() == b[1].tobytes() for a, b in pairs
    )


def _is_whole(answer: Distribution) -> bool:
    p, p_new = answer
    is_positive = bool(np.all(p >= 0.0) and np.all(p_new >= 0.0))
    return is_positive and bool(np.allclose(p.sum(axis=1) + p_new, 1.0, rtol=0.0, atol=1e-9))


def check_expert(make: Make) -> None:
    """Every law of an expert, each on fresh ones.

    Args:
        make: An expert that has learned nothing; called several times.

    Raises:
        AssertionError: Names the law that does not hold.
    """
    for law in EXPERT_LAWS:
        law(make)


def probabilities_sum_to_one(make: Make) -> None:
    walk = Walk(make())
    answers = walk.run(work(1, 50, _USERS))
    holds(
        all(_is_whole(answer) for answer in answers), "known labels and NEW sum to 1 at any moment"
    )
    holds(
        all(len(answer[0]) == len(walk.expert.names) for answer in answers),
        "there is one row per name",
    )


def asking_changes_nothing(make: Make) -> None:
    walk = Walk(make())
    walk.run(work(2, 30))
    before = msgpack.packb(walk.expert.state())
    distributions = [walk.distribution(step) for step in work(2, 5)]
    holds(msgpack.packb(walk.expert.state()) == before, "asking leaves the state as it is")
    holds(
        _are_alike(distributions, [walk.distribution(step) for step in work(2, 5)]),
        "asked twice it says the same",
    )


def learning_does_not_change_its_input(make: Make) -> None:
    walk = Walk(make())
    walk.run(work(3, 20))
    step = work(3, 21)[-1]
    view, members = walk.view(step), [walk.vocabulary.use(label) for label in step.labels]
    before = (view.history, view.recent, walk.vocabulary.state(), tuple(members))
    walk.expert.learn(view, members, 0)
    holds(
        (view.history, view.recent, walk.vocabulary.state(), tuple(members)) == before,
        "its input stays as it is",
    )


def the_same_stream_gives_the_same_answers(make: Make) -> None:
    one, other = (Walk(make()).run(work(4, 25, _USERS)) for _ in range(2))
    holds(_are_alike(one, other), "nothing but the stream decides")


def a_saved_copy_goes_on_alike(make: Make) -> None:
    stream = work(5, 40, _USERS)
    walk, copy = Walk(make()), Walk(make())
    walk.run(stream[:25])
    copy.run(stream[:25])
    copy.expert = make()
    copy.expert.load_state(
        msgpack.unpackb(msgpack.packb(walk.expert.state()), strict_map_key=False)
    )
    holds(
        _are_alike(walk.run(stream[25:]), copy.run(stream[25:])),
        "a restored copy answers and learns alike",
    )
    holds(walk.expert.state() == copy.expert.state(), "a restored copy ends in the same state")


def new_labels_may_come_at_any_time(make: Make) -> None:
    walk = Walk(make())
    walk.run(single(["a", "b"] * 15))
    calm = walk.distribution(single(["a"])[0])[1].max()
    answers = walk.run(single([f"new{i}" for i in range(15)]))
    holds(
        all(_is_whole(answer) for answer in answers), "a new label takes its place among the known"
    )
    holds(answers[-1][1].min() > calm, "after many new labels NEW is likelier")


def a_forgotten_label_leaves_nothing(make: Make) -> None:
    walk = Walk(make())
    walk.run(work(6, 30))
    walk.forget([f"src/part{i % 3}/file{i}.py" for i in range(3)])
    again = [
        Step(step.ts_us, tuple(f"again/{label}" for label in step.labels)) for step in work(6, 20)
    ]
    answers = walk.run(again)
    holds(all(_is_whole(answer) for answer in answers), "ids that were freed start from nothing")


def the_future_changes_no_answer(make: Make) -> None:
    stream = work(7, 40, _USERS)
    scrambled = other_steps(stream, 25, seed=7)
    one, other = (
        Walk(make()).run(steps)[:26]
        for steps in (stream, [*scrambled[:25], stream[25], *scrambled[26:]])
    )
    holds(_are_alike(one, other), "nothing later is known")


EXPERT_LAWS: tuple[Law, ...] = (
    probabilities_sum_to_one,
    asking_changes_nothing,
    learning_does_not_change_its_input,
    the_same_stream_gives_the_same_answers,
    a_saved_copy_goes_on_alike,
    new_labels_may_come_at_any_time,
    a_forgotten_label_leaves_nothing,
    the_future_changes_no_answer,
)
