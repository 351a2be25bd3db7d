"""What was answered, what was said of it afterwards, and what the router made of that."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from selflow.core.errors import ApiError, StoreError
from selflow.core.events import Json
from selflow.core.ids import new_id
from selflow.store.database import Database
from selflow.store.records import Beliefs, Decision, Feedback
from selflow.store.rows import find, put
from selflow.store.tables import decisions, feedback

FEEDBACK_LIMIT_US = 30 * 86_400 * 1_000_000
"""A decision takes feedback for 30 days (``interfaces.md`` 6)."""


class Decisions:
    """Every answered prediction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, decision: Decision) -> None:
        """Keep a decision for good, so that feedback can find it."""
        with self._database.write() as connection:
            connection.execute(
                decisions.insert().values(
                    id=decision.id,
                    at_us=decision.at_us,
                    mode=decision.mode,
                    upto_seq=decision.upto_seq,
                    predictions=list(decision.predictions),
                    experts=list(decision.experts),
                    context=None if decision.context is None else list(decision.context),
                    has_context=decision.context is not None,
                    routing=None if decision.routing is None else dict(decision.routing),
                )
            )

    def find(self, decision_id: str) -> Decision | None:
        """The decision of an id."""
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(decisions).where(decisions.c.id == decision_id)
            ).first()
        if row is None:
            return None
        return Decision(
            row.id,
            row.at_us,
            row.mode,
            row.upto_seq,
            row.predictions,
            row.experts,
            row.context,
            row.routing,
        )


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
                known = sa.select(feedback.c.id).where(
                    feedback.c.idempotency_key == idempotency_key
                )
                first_time = connection.execute(known).scalar()
                if first_time is not None:
                    return str(first_time)
            _refuse_unanswerable(connection, decision_id, now_us)
            same = (feedback.c.decision_id == decision_id) & (feedback.c.metric == metric)
            connection.execute(feedback.update().where(same).values(superseded=True))
            made = new_id("fb")
            connection.execute(
                feedback.insert().values(
                    id=made,
                    decision_id=decision_id,
                    metric=metric,
                    value=value,
                    tags=dict(tags),
                    at_us=now_us,
                    idempotency_key=idempotency_key,
                    superseded=False,
                )
            )
            return made

    def after(self, number: int, limit_rows: int) -> list[Feedback]:
        """At most ``limit_rows`` words after a number, oldest first: a learner's cursor is the last
        number it saw.
        """
        chosen = (
            sa.select(feedback)
            .where(feedback.c.number > number)
            .order_by(feedback.c.number)
            .limit(limit_rows)
        )
        with self._database.read() as connection:
            return [_feedback(row) for row in connection.execute(chosen)]

    def routed_after(self, number: int, limit_rows: int) -> list[Feedback]:
        """``after`` for those decisions alone that the router made, each with its ``routing`` and
        ``predictions``.
        """
        joined = sa.select(feedback, decisions.c.routing, decisions.c.predictions).join(decisions)
        later = (feedback.c.number > number) & decisions.c.routing.is_not(None)
        with self._database.read() as connection:
            rows = connection.execute(
                joined.where(later).order_by(feedback.c.number).limit(limit_rows)
            )
            return [
                replace(_feedback(row), routing=row.routing, predictions=row.predictions)
                for row in rows
            ]


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
                    "begin from the snapshot that is kept",
                )
            return put(
                connection, Beliefs(before.number + 1, dict(beliefs), feedback_number, now_us)
            )


def _refuse_unanswerable(connection: Connection, decision_id: str, now_us: int) -> None:
    at_us = connection.execute(
        sa.select(decisions.c.at_us).where(decisions.c.id == decision_id)
    ).scalar()
    if at_us is None:
        raise ApiError(
            404,
            "decision_not_found",
            "there is no decision of this id",
            "send the decision_id of a /v1/predict answer",
        )
    if now_us - at_us > FEEDBACK_LIMIT_US:
        raise ApiError(
            409,
            "too_late",
            f"the decision is {(now_us - at_us) / 86_400e6:.0f} days old; the limit is 30",
        )


def _feedback(row: Row[Any]) -> Feedback:
    return Feedback(
        row.number,
        row.id,
        row.decision_id,
        row.metric,
        row.value,
        row.tags,
        row.at_us,
        is_superseded=row.superseded,
    )
