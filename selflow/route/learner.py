"""Feedback into beliefs: a fold over the feedback on routed decisions, in the order of its
numbers.
"""

from collections.abc import Iterable
from typing import Any

from selflow.core.settings import RouterSettings
from selflow.route.bandit import Arm, Beliefs
from selflow.route.rewards import OUTCOME, outcome_value, reward_of


def learn(beliefs: Beliefs, feedback: Iterable[Any], settings: RouterSettings) -> Beliefs:
    """The beliefs after this feedback; those before are left as they are.

    Args:
        beliefs: Those before.
        feedback: The catalog's records of feedback on routed decisions: ``number``,
            ``decision_id``, ``metric``, ``value``, ``tags``, and of the decision ``predictions``
            and ``routing`` (arm, version, surface, forced, latency_s, tokens). Records up to
            ``beliefs.feedback_number`` are skipped: nothing counts twice, and it makes no
            difference in which portions they come.
        settings: The owner's metrics that are rewards, and the discount.

    An arm that the caller named was no choice: feedback on it does not train.
    """
    after = Beliefs.load_state(beliefs.state())
    for record in sorted(feedback, key=lambda record: record.number):
        if record.number <= after.feedback_number:
            continue
        after.feedback_number, routing, value = record.number, record.routing, record.value
        if record.metric == OUTCOME:
            value = outcome_value(record.predictions, value["labels"])
        elif record.metric == "edited" and "correction" in record.tags:
            value = 0.0
        reward = reward_of(
            record.metric, value, routing["latency_s"], routing["tokens"], settings.metrics
        )
        if reward is not None and not routing["forced"]:
            arm = after.surfaces.setdefault(routing["surface"], {}).setdefault(
                routing["arm"], Arm()
            )
            arm.learn(
                f"{record.decision_id}/{record.metric}",
                reward,
                routing["latency_s"],
                settings.discount,
                routing["version"],
            )
    return after
