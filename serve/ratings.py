"""Which values the metrics of feedback take (docs/http.md#feedback)."""

from collections.abc import Callable

from pydantic import TypeAdapter, ValidationError

from selflow.core.errors import ApiError
from selflow.sdk.wire import MAX_OUTCOME_LABELS, OutcomeLabel

OUTCOME = "outcome"
"""The metric whose value is what really came next."""
FIXED_METRICS = frozenset(
    {"thumb", "accepted", "task_success", "rating", "edited", "comment", OUTCOME}
)
MAX_COMMENT_CHARACTERS = 4_096
_LABELS = TypeAdapter(list[OutcomeLabel])


def _is_fraction(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_thumb(value: object) -> bool:
    return isinstance(value, bool) or (isinstance(value, int) and value in {1, -1})


_THUMB = (_is_thumb, "true, false, 1 or -1")
_OWN = (
    lambda value: isinstance(value, bool) or _is_fraction(value),
    "true, false or a number from 0 to 1",
)
_TAKES: dict[str, tuple[Callable[[object], bool], str]] = {
    "thumb": _THUMB,
    "accepted": _THUMB,
    "task_success": _THUMB,
    "rating": (lambda value: type(value) is int and 1 <= value <= 5, "a whole number from 1 to 5"),
    "edited": (_is_fraction, "a number from 0 to 1"),
    "comment": (
        lambda value: isinstance(value, str) and len(value) <= MAX_COMMENT_CHARACTERS,
        f"a text of at most {MAX_COMMENT_CHARACTERS:,} characters",
    ),
}


def check_value(metric: str, value: object) -> None:
    """Refuse a value that the metric does not take.

    Raises:
        ApiError: 400 ``validation_failed``; says what the metric takes, never what came.
    """
    takes, words = _TAKES.get(metric, _OWN)
    if not takes(value):
        raise ApiError(400, "validation_failed", f"value: {metric} takes {words}")


def labels_of(value: object) -> tuple[OutcomeLabel, ...]:
    """The labels of an outcome: one step, one or many events.

    Raises:
        ApiError: 400 ``validation_failed``.
    """
    try:
        labels = _LABELS.validate_python(value)
    except ValidationError as error:
        path = ".".join(str(part) for part in error.errors()[0]["loc"])
        detail = f"value: outcome takes a list of {{kind, subject}}; see {path or 'the list'}"
        raise ApiError(400, "validation_failed", detail) from error
    if not 0 < len(labels) <= MAX_OUTCOME_LABELS:
        raise ApiError(
            400, "validation_failed", f"value: outcome takes 1 to {MAX_OUTCOME_LABELS:,} labels"
        )
    return tuple(labels)
