"""What goes into the child and what comes out of it."""

from dataclasses import dataclass, field


class RefusedFileError(Exception):
    """A file that is not read, and why: never with its content."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of the file."""

    kind: str
    """``calendar``, or the ending of a document's name."""
    max_characters: int = 0
    """Of a document's text."""
    after_us: int = 0
    """Of a calendar: occurrences that begin after this ..."""
    until_us: int = 0
    """... and not after this."""
    zone: str = "UTC"
    """For times without a zone."""


@dataclass(slots=True)
class Answer:
    """What came out."""

    text: str = ""
    title: str = ""
    characters: int = 0
    """Of the whole text."""
    occurrences: list[dict[str, str | int]] = field(default_factory=list)
    broken: int = 0
    """Entries that were left out."""
    refusal: str = ""
