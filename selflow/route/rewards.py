"""The reward that a feedback gives to the arm that answered (docs/http.md#feedback)."""

from collections.abc import Collection, Sequence
from typing import Any

from selflow.core.events import Json

OUTCOME = "outcome"


def reward_of(
    metric: str, value: Json, latency_s: float, tokens: float, own: Collection[str]
) -> float | None:
    """The reward of one feedback; None if its metric or value is none.

    Args:
        metric: The name of the metric.
        value: A number or a boolean; of an ``outcome``, what ``outcome_value`` made of it.
        latency_s: Of the answer; costs 0.1 for the first second, nothing more after it.
        tokens: Generated; cost 0.02 for 100.
        own: The owner's metrics that are rewards, with values in [0, 1].

    Returns:
        In [0, 1]: a thumb down and a rating of 1 are 0, a thumb up and a rating of 5 are 1.
    """
    if not isinstance(value, bool | int | float):
        return None
    if metric in {"thumb", "accepted", "task_success"}:
        reward = max(0.0, float(value))
    elif metric == "rating":
        reward = (value - 1) / 4
    elif metric in {"edited", OUTCOME, *own}:
        reward = float(value)
    else:
        return None
    return min(1.0, max(0.0, reward - 0.1 * min(1.0, latency_s) - 0.02 * tokens / 100))


def outcome_value(predictions: Sequence[Any], labels: Sequence[Sequence[str]]) -> float:
    """1 if the first of a decision's predictions came, 0.5 if one of the first five did; labels:
    (kind, subject).
    """
    came = {(kind, subject) for kind, subject in labels}
    hits = [(guess["kind"], guess["subject"]) in came for guess in predictions[:5]]
    return 1.0 if any(hits[:1]) else 0.5 * any(hits)
