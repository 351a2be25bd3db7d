"""What really came next, as feedback keeps it."""

from collections.abc import Iterable

from selflow.core.events import Json


def stored_outcome(labels: Iterable[tuple[str, str]], after_seq: int) -> dict[str, Json]:
    """The value of the metric ``outcome``: (kind, subject) of what came, and after which event of
    the log they are learned.
    """
    return {"labels": [[kind, subject] for kind, subject in labels], "after_seq": after_seq}
