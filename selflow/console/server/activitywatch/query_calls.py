"""``query/``: what a query gives for each of some periods."""

from typing import Any

from selflow.collect.activitywatch.query import run_query
from selflow.collect.activitywatch.query_functions import LIMIT_S, Period
from selflow.collect.activitywatch.reading import StoreReader
from selflow.collect.activitywatch.shapes import bad_request, parse_moment
from selflow.console.server.activitywatch.calls import AwAnswer, Call, answer


async def query(call: Call) -> AwAnswer:
    """A list, one result for each period; nothing is remembered between queries."""
    raw = call.json()
    if not isinstance(raw, dict):
        raise bad_request("a query is an object with timeperiods and query")
    lines, spans = _texts(raw, "query"), _texts(raw, "timeperiods")
    ends = [_ends(span) for span in spans]
    clock, name = call.service.model.clock, call.argument("name") or ""
    deadline_s = clock.monotonic_s() + LIMIT_S

    def work(reader: StoreReader) -> list[Any]:
        return [
            run_query(lines, Period(reader, start_us, end_us, clock, deadline_s), name)
            for start_us, end_us in ends
        ]

    return answer(await call.service.read(work))


def _texts(raw: dict[str, Any], name: str) -> list[str]:
    value = raw.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise bad_request("timeperiods and query must be lists of texts")
    return value


def _ends(span: str) -> tuple[int, int]:
    start, _, end = span.partition("/")
    return parse_moment(start, "timeperiods"), parse_moment(end, "timeperiods")
