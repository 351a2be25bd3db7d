"""What every record of the catalog is: a row of a table, and its way in and out of JSON and the
drivers.
"""

import json
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, TypeVar, get_args, get_origin

from selflow.core.clock import rfc3339


@dataclass(frozen=True, slots=True)
class Row:
    """A record whose fields are the columns of ``table``; ``key`` names a row for life."""

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]] = ("id",)
    order: ClassVar[tuple[str, ...]] = ()
    """The fields that say in which order the rows came; then by key."""


T = TypeVar("T", bound=Row)


def holds(column: Field[Any]) -> tuple[type | None, bool]:
    """The scalar type of a field, None for JSON; and whether its column may be NULL.

    ``X | None`` is an X that may be NULL. Any wider union is JSON, whose null is a value.
    """
    kind, is_open = column.type, False
    if isinstance(kind, UnionType):
        members = [member for member in get_args(kind) if member is not NoneType]
        is_open = len(members) == 1
        kind = members[0] if is_open else None
    if get_origin(kind) is Literal:
        kind = str
    return (kind if kind in {str, int, float, bool} else None), is_open


def from_row(kind: type[T], row: Mapping[str, Any]) -> T:
    """The record in a row as a driver of the standard library gives it: JSON as text, truth as 0
    or 1. A column that the record does not know is left out; one that an earlier schema lacks is
    empty, or 0.
    """
    values = {}
    for column in fields(kind):
        scalar, _ = holds(column)
        value = row.get(column.name, scalar() if scalar else None)
        # SQLite's JSON columns have numeric affinity: a number comes back as a number.
        if scalar is None and isinstance(value, str):
            value = json.loads(value)
        elif scalar is bool and value is not None:
            value = bool(value)
        values[column.name] = value
    return kind(**values)


def document(record: Row) -> dict[str, Any]:
    """The record in the API's shape: moments in RFC 3339."""
    values = {column.name: getattr(record, column.name) for column in fields(record)}
    return {
        k.removesuffix("_us"): rfc3339(v) if k.endswith("at_us") and v else v
        for k, v in values.items()
    }
