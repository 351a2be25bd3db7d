"""Feedback into beliefs: a fold over the words on routed decisions, in the order of their
numbers.
"""

from collections.abc import Iterable
from typing import Any

from selflow.core.settings import RouterSettings
from selflow.route.bandit import Arm, Beliefs
from selflow.route.rewards import OUTCOME, outcome_value, reward_of


def learn(beliefs: Beliefs, words: Iterable[Any], settings: RouterSettings) -> Beliefs:
    """The beliefs after these words; those before are left as they are.

    A word is the catalog's record of a feedback on a routed decision: ``number``, ``decision_id``,
    ``metric``, ``value``, ``tags``, and of the decision ``predictions`` and ``routing`` (arm,
    version, surface, forced, latency_s, tokens). Words up to ``beliefs.feedback_number`` are
    skipped: nothing counts twice, and it makes no difference in which portions words come. A named
    arm was no choice: what is said of it does not train.
    """
    after = Beliefs.load_state(beliefs.state())
    for word in sorted(words, key=lambda word: word.number):
        if word.number <= after.feedback_number:
            continue
        after.feedback_number, routing, value = word.number, word.routing, word.value
        if word.metric == OUTCOME:
            value = outcome_value(word.predictions, value["labels"])
        elif word.metric == "edited" and "correction" in word.tags:
            value = 0.0
        reward = reward_of(
            word.metric, value, routing["latency_s"], routing["tokens"], settings.metrics
        )
        if reward is not None and not routing["forced"]:
            arm = after.surfaces.setdefault(routing["surface"], {}).setdefault(
                routing["arm"], Arm()
            )
            arm.hear(
                f"{word.decision_id}/{word.metric}",
                reward,
                routing["latency_s"],
                settings.discount,
                routing["version"],
            )
    return after
