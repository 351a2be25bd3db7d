"""One request as the handlers see it, and one answer as they give it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from selflow.collect.activitywatch.ranges import TimeRange
from selflow.collect.activitywatch.shapes import bad_request, parse_json, parse_moment
from selflow.console.server.activitywatch.service import AwService
from selflow.core.grants import OWNER, Grant
from selflow.core.listener_settings import AwSettings
from selflow.web.bodies import Receive


@dataclass(frozen=True, slots=True)
class Call:
    """One request that may be answered."""

    service: AwService
    settings: AwSettings
    names: tuple[str, ...]
    """The variable parts of its path."""
    query: str
    body: bytes
    grant: Grant | None
    receive: Receive
    media: str

    def argument(self, name: str) -> str | None:
        """A parameter behind the question mark; the last one counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True)).get(name)

    def json(self) -> Any:  # noqa: ANN401  (any JSON)
        """The body.

        Raises:
            ApiError: 400; it is not JSON.
        """
        return parse_json(self.body)

    def time_range(self) -> TimeRange:
        """``start`` and ``end``.

        Raises:
            ApiError: 400; one of them is no date.
        """
        ends = [
            None if text is None else parse_moment(text, name)
            for name in ("start", "end")
            for text in [self.argument(name)]
        ]
        return TimeRange.of_client(ends[0], ends[1])

    def integer(self, name: str) -> int | None:
        """A parameter that is an integer.

        Raises:
            ApiError: 400; it is none.
        """
        text = self.argument(name)
        if text is None:
            return None
        try:
            return int(text)
        except ValueError as error:
            raise bad_request(f"{name} must be an integer") from error

    @property
    def actor(self) -> str:
        """Who asks, for the audit log."""
        return self.grant.token_id if self.grant and not self.grant.is_owner else OWNER


@dataclass(frozen=True, slots=True)
class AwAnswer:
    """An answer: a body, or pieces of one that are made as they are sent."""

    body: bytes = b"{}\n"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    pieces: Iterator[str] | None = field(default=None)


def answer(value: object, status: int = 200, **headers: str) -> AwAnswer:
    """A value as JSON."""
    return AwAnswer(json.dumps(value).encode(), status, tuple(headers.items()))
