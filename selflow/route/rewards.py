"""What a word of feedback is worth to the arm that answered (docs/http.md#feedback)."""

from collections.abc import Collection, Sequence
from typing import Any

from selflow.core.events import Json

OUTCOME = "outcome"


def reward_of(
    metric: str, value: Json, latency_s: float, tokens: float, own: Collection[str]
) -> float | None:
    """The reward in [0, 1], less 0.1 for a second and 0.02 for 100 tokens; None: the word says
    nothing of the arm.

    Of an ``outcome`` the value is what ``outcome_value`` made of it; ``own`` are the owner's
    metrics that are rewards.
    """
    if not isinstance(value, bool | int | float):
        return None
    if metric in {"thumb", "accepted", "task_success"}:
        said = max(0.0, float(value))
    elif metric == "rating":
        said = (value - 1) / 4
    elif metric in {"edited", OUTCOME, *own}:
        said = float(value)
    else:
        return None
    return min(1.0, max(0.0, said - 0.1 * min(1.0, latency_s) - 0.02 * tokens / 100))


def outcome_value(predictions: Sequence[Any], labels: Sequence[Sequence[str]]) -> float:
    """1 if the first of a decision's predictions came, 0.5 if one of the first five did; labels:
    (kind, subject).
    """
    came = {(kind, subject) for kind, subject in labels}
    hits = [(guess["kind"], guess["subject"]) in came for guess in predictions[:5]]
    return 1.0 if any(hits[:1]) else 0.5 * any(hits)
