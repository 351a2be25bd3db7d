"""What was answered, what was said of it afterwards, and what the router made of that."""

from collections.abc import Mapping
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from selflow.core.errors import ApiError, StoreError
from selflow.core.events import Json
from selflow.core.ids import new_id
from selflow.store.database import Database, add, add_counted, find, find_one, put
from selflow.store.records import Beliefs, Decision, Feedback, RoutedFeedback
from selflow.store.schema import TABLES

FEEDBACK_LIMIT_US = 30 * 86_400 * 1_000_000
"""A decision takes feedback for 30 days (docs/http.md#feedback)."""


class Decisions:
    """Every answered prediction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, decision: Decision) -> None:
        """Keep a decision for good, so that feedback can find it."""
        with self._database.write() as connection:
            add(connection, decision)

    def find(self, decision_id: str) -> Decision | None:
        """The decision of an id."""
        return next(iter(self._database.records(Decision, id=decision_id)), None)


class FeedbackLog:
    """What callers said of decisions, in the order in which it came."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        decision_id: str,
        metric: str,
        value: Json,
        tags: Mapping[str, Json],
        now_us: int,
        idempotency_key: str | None = None,
    ) -> str:
        """Keep a word on a decision and return its id; the earlier one of the same metric is
        superseded, and stays.

        A repeated key is answered with the id of the first time and stores nothing.

        Raises:
            ApiError: ``decision_not_found`` (404), or ``too_late`` (409) after 30 days.
        """
        with self._database.write() as connection:
            if idempotency_key is not None:
                for first_time in find(connection, Feedback, idempotency_key=idempotency_key):
                    return first_time.id
            _refuse_unanswerable(connection, decision_id, now_us)
            for earlier in find(
                connection, Feedback, decision_id=decision_id, metric=metric, is_superseded=False
            ):
                put(connection, replace(earlier, is_superseded=True))
            feedback = Feedback(
                0,
                new_id("fb"),
                decision_id,
                metric,
                value,
                tags,
                now_us,
                is_superseded=False,
                idempotency_key=idempotency_key,
            )
            return add_counted(connection, feedback).id

    def after(self, number: int, limit_rows: int) -> list[Feedback]:
        """At most ``limit_rows`` words after a number, oldest first: a learner's cursor is the last
        number it saw.
        """
        table = TABLES[Feedback]
        chosen = sa.select(table).where(table.c.number > number).order_by(table.c.number)
        with self._database.read() as connection:
            rows = connection.execute(chosen.limit(limit_rows))
            return [Feedback(**row._mapping) for row in rows]  # noqa: SLF001  (public in SQLAlchemy)

    def routed_after(self, number: int, limit_rows: int) -> list[RoutedFeedback]:
        """``after`` for those decisions alone that the router made, each with what it said."""
        words, said = TABLES[Feedback], TABLES[Decision]
        joined = sa.select(words, said.c.routing, said.c.predictions).join(said)
        later = (words.c.number > number) & said.c.routing.is_not(None)
        with self._database.read() as connection:
            rows = connection.execute(
                joined.where(later).order_by(words.c.number).limit(limit_rows)
            )
            return [RoutedFeedback(**row._mapping) for row in rows]  # noqa: SLF001  (public in SQLAlchemy)


class Routing:
    """The router's beliefs: one row, read by every gateway, written by the router alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def snapshot(self) -> Beliefs | None:
        """What the router believes; None before the first feedback."""
        return next(iter(self._database.records(Beliefs)), None)

    def save(self, beliefs: Mapping[str, Json], feedback_number: int, now_us: int) -> Beliefs:
        """Replace the beliefs by newer ones.

        Raises:
            StoreError: They know less feedback than those that are kept: another router is ahead.
        """
        with self._database.write() as connection:
            before = next(iter(find(connection, Beliefs)), Beliefs(0, {}, 0, 0))
            if feedback_number < before.feedback_number:
                raise StoreError(
                    f"beliefs up to feedback {feedback_number} are older than those up "
                    f"to {before.feedback_number}",
                    "load the stored snapshot first",
                )
            return put(
                connection, Beliefs(before.number + 1, dict(beliefs), feedback_number, now_us)
            )


def _refuse_unanswerable(connection: Connection, decision_id: str, now_us: int) -> None:
    decision = find_one(connection, Decision, id=decision_id)
    if decision is None:
        raise ApiError(
            404,
            "decision_not_found",
            "there is no decision of this id",
            "send the decision_id of a /v1/predict answer",
        )
    if now_us - decision.at_us > FEEDBACK_LIMIT_US:
        raise ApiError(
            409,
            "too_late",
            f"the decision is {(now_us - decision.at_us) / 86_400e6:.0f} days old; the limit is 30",
        )
