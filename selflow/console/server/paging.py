"""Lists that are read page by page, newest first."""

from typing import Annotated

from fastapi import Query

from selflow.store.row_listing import newest_page, refuse_cursor

__all__ = ["Cursor", "Limit", "newest_page", "refuse_cursor"]

Limit = Annotated[int, Query(ge=1, le=500)]
Cursor = Annotated[str | None, Query(max_length=200)]
