"""The API's records of questions about one's own events, and of their answers."""

from typing import Annotated, Literal

from pydantic import Field

from selflow.sdk.wire import Answer
from selflow.sdk.wire import Request as Body
from selflow.search.question import MAX_QUESTION_CHARS
from selflow.search.records import MAX_RESULTS, FilterName, Wanted

MAX_KINDS = 32
Text = Annotated[str, Field(max_length=MAX_QUESTION_CHARS)]
Count = Annotated[int, Field(ge=0, le=MAX_RESULTS)]
ShortText = Annotated[str, Field(max_length=200)]


class EventLimits(Body):
    """Limits that hold beside those in the question: kinds (``file`` is every ``file.*``), and
    times as dates, RFC 3339 or words.
    """

    kinds: Annotated[list[ShortText], Field(max_length=MAX_KINDS)] | None = None
    since: ShortText | None = None
    until: ShortText | None = None


class AskRequest(EventLimits):
    """``POST /api/ask``; ``limit`` is the number of listed events."""

    text: Text
    limit: Count = 10


class SearchRequest(EventLimits):
    """``POST /v1/search``."""

    query: Text
    top_k: Count = 10


class FilterItem(Answer):
    """One of the filters that the question was understood as, in words."""

    name: FilterName
    text: str


class FactValueItem(Answer):
    """One figure of a fact: a label (unit, item or day) with a number or a moment."""

    label: str
    number: int
    ts: str | None


class FactItem(Answer):
    """A sentence, its figures, and the newest of the ``event_count`` events that it rests on."""

    fact: Wanted
    text: str
    values: list[FactValueItem]
    event_ids: list[int]
    event_count: int


class ResultItem(Answer):
    """An event that matches; ``score`` orders the list and means no more."""

    kind: Literal["event"]
    id: str
    ts: str
    text: str
    score: float


class AskAnswer(Answer):
    """``POST /api/ask``: the document of ``selflow ask --json``."""

    question: str
    understood: str
    filters: list[FilterItem]
    event_count: int
    facts: list[FactItem]
    results: list[ResultItem]
    notes: list[str]


class SearchAnswer(Answer):
    """``POST /v1/search``: redacted events, best first."""

    results: list[ResultItem]
