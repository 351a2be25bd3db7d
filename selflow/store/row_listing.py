"""Rows of the catalog page by page, newest first: the same pages for the API and the command
line.
"""

from typing import Any, TypeVar

from selflow.core.errors import UsageError
from selflow.store.reading import CatalogReader
from selflow.store.row import Row, document

T = TypeVar("T", bound=Row)


def newest_page(
    reader: CatalogReader, kind: type[T], limit: int, cursor: str | None, **equal: str
) -> dict[str, Any]:
    """The newest rows of a table whose fields have these values, as documents with the cursor of
    those behind them.

    Raises:
        UsageError: It is not a cursor of ours.
    """
    rows = reader.newest(kind, limit + 1, _position(cursor) if cursor else None, **equal)
    shown = rows[:limit]
    moment, key = (kind.order or kind.key)[0], kind.key[0]
    last = shown[-1] if len(rows) > limit else None
    following = f"{getattr(last, moment)}~{getattr(last, key)}" if last else None
    return {"items": [document(row) for row in shown], "next": following}


def refuse_cursor() -> UsageError:
    """What a caller reads whose cursor is none."""
    return UsageError("invalid cursor", "use `next` of the page before")


def _position(cursor: str) -> tuple[int, str]:
    moment, _, key = cursor.partition("~")
    if not (moment.isascii() and moment.isdigit() and key) or len(moment) > 18:
        raise refuse_cursor()
    return int(moment), key
