"""Records in and out of the tables that are made from them (``tables.TABLES``), inside a transaction."""

from dataclasses import fields
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from selflow.store.records import Learned
from selflow.store.tables import TABLES

T = TypeVar("T", bound=Learned)


def find(connection: Connection, kind: type[T], **equal: object) -> list[T]:
    """The records whose fields have these values (of a tuple: one of them), in no order."""
    table = TABLES[kind]
    wanted = [table.c[k].in_(v) if isinstance(v, tuple) else table.c[k] == v for k, v in equal.items()]
    return [kind(**row._mapping) for row in connection.execute(sa.select(table).where(*wanted))]  # noqa: SLF001


def put(connection: Connection, record: T) -> T:
    """Write a record over the one with its key, or add it."""
    table, values = TABLES[type(record)], {each.name: getattr(record, each.name) for each in fields(record)}
    same = [column == values[column.name] for column in table.primary_key]
    if connection.execute(table.update().where(*same).values(values)).rowcount == 0:
        connection.execute(table.insert().values(values))
    return record
