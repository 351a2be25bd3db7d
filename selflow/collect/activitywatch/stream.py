"""Buckets and events out of an export, one after the other: a file is never whole in memory.

Read are the Python server's shape (no ids), the Rust server's (ids, other fields) and the published
schema's (buckets as an array).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from selflow.collect.activitywatch.shapes import bad_request

_CHUNK_CHARS = 65_536
_MAX_VALUE_CHARS = 4_000_000
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class RawBucket:
    """A bucket's description, as far as it has been read."""

    key: str | None
    fields: dict[str, Any]

    @property
    def id(self) -> str:
        """Its own id, else the key under which it stands.

        Raises:
            ApiError: 400; it has neither, or it comes behind the events.
        """
        name = self.fields.get("id", self.key)
        if not isinstance(name, str) or not name:
            raise bad_request("a bucket has no id before its events")
        return name


Part = tuple[RawBucket, object | None]
"""A bucket with its next event; None once the bucket's description is complete."""


def read_export(read: Callable[[int], str]) -> Iterator[Part]:
    """The parts of an export.

    Args:
        read: Gives at most so many characters more, none at the end.

    Raises:
        ApiError: 400; it is no export.
    """
    text = _Text(read)
    has_buckets = False
    for key in text.members():
        if key == "buckets":
            has_buckets = True
            yield from _buckets(text)
        else:
            text.value()
    if not has_buckets:
        raise bad_request("an export is an object with buckets")


def _buckets(text: "_Text") -> Iterator[Part]:
    if text.peek() == "[":
        for _ in text.items():
            yield from _bucket(text, RawBucket(None, {}))
    else:
        for key in text.members():
            yield from _bucket(text, RawBucket(key, {}))


def _bucket(text: "_Text", bucket: RawBucket) -> Iterator[Part]:
    for key in text.members():
        if key == "events":
            for _ in text.items():
                yield bucket, text.value()
        else:
            bucket.fields[key] = text.value()
    yield bucket, None


class _Text:
    """JSON text that is read as far as it is needed."""

    def __init__(self, read: Callable[[int], str]) -> None:
        self._read = read
        self._text = ""
        self._at = 0
        self._is_complete = False
        self._decode = json.JSONDecoder(parse_constant=_refuse).raw_decode

    def peek(self) -> str:
        """The next character that is not a space.

        Raises:
            ApiError: 400; the text ends.
        """
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                raise bad_request("the export ends too early")

    def members(self) -> Iterator[str]:
        """The keys of an object; each value is to be read before the next key."""
        self._expect("{")
        while self.peek() != "}":
            key = self.value()
            if not isinstance(key, str):
                raise bad_request("the export is not valid JSON")
            self._expect(":")
            yield key
            self._comma("}")
        self._at += 1

    def items(self) -> Iterator[None]:
        """The places of a list; each value is to be read before the next place."""
        self._expect("[")
        while self.peek() != "]":
            yield None
            self._comma("]")
        self._at += 1

    def value(self) -> Any:  # noqa: ANN401  (any JSON)
        """The next value, whole."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if len(self._text) - self._at > _MAX_VALUE_CHARS or not self._more():
                    raise bad_request("the export is not valid JSON") from error
                continue
            if end < len(self._text) or not self._more():  # a number may go on
                self._at = end
                return value

    def _expect(self, character: str) -> None:
        if self.peek() != character:
            raise bad_request("the export is not of a known shape")
        self._at += 1

    def _comma(self, closing: str) -> None:
        if self.peek() == ",":
            self._at += 1
            if self.peek() != closing:
                return
        elif self.peek() == closing:
            return
        raise bad_request("the export is not valid JSON")

    def _more(self) -> bool:
        if self._is_complete:
            return False
        chunk = self._read(
            max(_CHUNK_CHARS, len(self._text) - self._at)
        )  # so each is read again seldom
        self._is_complete = not chunk
        self._text = self._text[self._at :] + chunk
        self._at = 0
        return bool(chunk)


def _refuse(_: str) -> None:
    raise ValueError("NaN and infinity are not JSON")
