"""The functions of ``query2``: how many arguments of which type each takes, and what it does."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selflow.collect.activitywatch.ranges import TimeRange
from selflow.collect.activitywatch.reading import StoreReader
from selflow.collect.activitywatch.regex_cost import SearchText
from selflow.collect.activitywatch.shapes import bad_request
from selflow.collect.activitywatch.transforms import (
    Events,
    QueryEvent,
    by_time,
    categorize,
    chunk_by_key,
    fill_gaps,
    flood,
    inside,
    merge_by_keys,
    periods,
    simplify,
    split_url,
)
from selflow.core.clock import Clock
from selflow.core.errors import ApiError
from selflow.core.events import Json

LIMIT_S = 30.0
_TYPES: Mapping[str, type] = {"e": list, "l": list, "s": str, "i": int, "d": dict}


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when a query looks, in which store, and how long it may take."""

    reader: StoreReader
    start_us: int
    end_us: int
    clock: Clock
    deadline_s: float

    @property
    def limits(self) -> TimeRange:
        """As ``GET events`` has it."""
        return TimeRange.of_client(self.start_us, self.end_us)

    def check_time(self) -> None:
        """Refuse what takes too long.

        Raises:
            ApiError: 400 QueryFunctionException.
        """
        if self.clock.monotonic_s() > self.deadline_s:
            raise _failed(f"the query took more than {LIMIT_S:g} s")


@dataclass(frozen=True, slots=True)
class _Function:
    types: str
    """One letter for each argument: events, list, string, integer, d map; ``*`` any."""
    work: Callable[..., Any]
    optional: int = 0


def call(name: str, period: Period, arguments: Sequence[Any]) -> Any:  # noqa: ANN401  (any value)
    """What a function makes of its arguments.

    Raises:
        ApiError: 400; QueryInterpretException for their number, QueryFunctionException for the
        rest.
    """
    function = FUNCTIONS[name]
    period.check_time()
    most = len(function.types)
    if not most - function.optional <= len(arguments) <= most:
        detail = f"{name} takes {most} arguments, not {len(arguments)}"
        raise bad_request(detail, "QueryInterpretException")
    for position, (kind, argument) in enumerate(zip(function.types, arguments, strict=False), 1):
        _check(name, position, kind, argument)
    return function.work(period, *arguments)


def _check(name: str, position: int, kind: str, argument: object) -> None:
    is_right = kind == "*" or isinstance(argument, _TYPES[kind])
    if kind == "e" and isinstance(argument, list):
        is_right = all(isinstance(item, QueryEvent) for item in argument)
    if kind == "i" and isinstance(argument, bool):
        is_right = False
    if not is_right:
        raise _failed(f"argument {position} of {name} has another type")


def _failed(message: str) -> ApiError:
    return bad_request(message, "QueryFunctionException")


def _query_bucket(period: Period, name: str) -> list[QueryEvent]:
    stored = _known(lambda: period.reader.events(name, period.limits))
    shown = (event.document() | {"ts": event.ts_us, "us": event.duration_us} for event in stored)
    return [QueryEvent(one["ts"], one["us"], one["data"], one["id"]) for one in shown]


def _known(work: Callable[[], Any]) -> Any:  # noqa: ANN401  (any value)
    """An unknown bucket is the function's failure, not a missing page."""
    try:
        return work()
    except ApiError as error:
        raise _failed(error.detail) from error


def _find_bucket(period: Period, part: str, hostname: str | None = None) -> str:
    for bucket in period.reader.buckets():
        if part in bucket.id and hostname in {None, bucket.hostname}:
            return bucket.id
    raise _failed("no bucket has this in its id")


def _filtered(events: Events, key: str, values: list[Json], *, keeps: bool) -> list[QueryEvent]:
    return [event for event in events if (key in event.data and event.data[key] in values) == keeps]


def _by_regex(_: Period, events: Events, key: str, pattern: str) -> list[QueryEvent]:
    search = _search(pattern, ignores_case=False)
    return [event for event in events if search(event.data.get(key))]


def _search(pattern: str, *, ignores_case: bool) -> Callable[[object], bool]:
    try:
        return SearchText(pattern, re.IGNORECASE if ignores_case else 0)
    except (ValueError, re.error, OverflowError, RecursionError) as error:
        raise _failed("a regex is not valid, or may take too long") from error


def _matches(classes: list[Any]) -> Callable[[QueryEvent], list[Any]]:
    """The names of the classes that an event belongs to."""
    rules: list[tuple[Any, Sequence[str], Callable[[object], bool]]] = []
    for item in classes:
        if not (isinstance(item, list) and len(item) == 2 and isinstance(item[1], dict)):
            raise _failed("a class is a list of a name and a rule")
        name, rule = item
        if not isinstance(name, list | str):
            raise _failed("the name of a class is a list or a text")
        if isinstance(pattern := rule.get("regex"), str) and pattern:
            search = _search(pattern, ignores_case=bool(rule.get("ignore_case")))
            rules.append((name, rule.get("select_keys") or (), search))

    def matches(event: QueryEvent) -> list[Any]:
        return [
            name
            for name, keys, search in rules
            if any(map(search, map(event.data.get, keys) if keys else event.data.values()))
        ]

    return matches


def _categorized(_: Period, events: Events, classes: list[Any]) -> list[QueryEvent]:
    matches = _matches(classes)
    return [categorize(event, matches) for event in events]


def _tagged(_: Period, events: Events, classes: list[Any]) -> list[QueryEvent]:
    matches = _matches(classes)
    return [event.with_data(**{"$tags": matches(event)}) for event in events]


def _contains(_: Period, values: object, item: object) -> bool:
    if not isinstance(values, list | dict):
        raise _failed("contains looks in a list or a map")
    return item in values if isinstance(values, list) or isinstance(item, str) else False


FUNCTIONS: Mapping[str, _Function] = {
    "find_bucket": _Function("ss", _find_bucket, optional=1),
    "query_bucket_names": _Function("", lambda p: [one.id for one in p.reader.buckets()]),
    "query_bucket": _Function("s", _query_bucket),
    "query_bucket_eventcount": _Function(
        "s", lambda p, name: _known(lambda: p.reader.count(name, p.limits))
    ),
    "filter_keyvals": _Function("esl", lambda _, e, k, v: _filtered(e, k, v, keeps=True)),
    "exclude_keyvals": _Function("esl", lambda _, e, k, v: _filtered(e, k, v, keeps=False)),
    "filter_keyvals_regex": _Function("ess", _by_regex),
    "filter_period_intersect": _Function("ee", lambda _, e, f: inside(e, f)),
    "period_union": _Function("ee", lambda _, a, b: periods([*a, *b])),
    "limit_events": _Function("ei", lambda _, e, n: e[:n]),
    "concat": _Function("ee", lambda _, a, b: [*a, *b]),
    "union_no_overlap": _Function("ee", lambda _, a, b: fill_gaps(a, b)),
    "merge_events_by_keys": _Function("el", lambda _, e, keys: merge_by_keys(e, keys)),
    "chunk_events_by_key": _Function("es", lambda _, e, key: chunk_by_key(e, key)),
    "sort_by_timestamp": _Function("e", lambda _, e: by_time(e)),
    "sort_by_duration": _Function("e", lambda _, e: sorted(e, key=lambda one: -one.duration_us)),
    "sum_durations": _Function("e", lambda _, e: sum(one.duration_us for one in e) / 1e6),
    "flood": _Function("e", lambda _, e: flood(e)),
    "split_url_events": _Function(
        "e", lambda _, e: [split_url(one) if "url" in one.data else one for one in e]
    ),
    "simplify_window_titles": _Function("es", lambda _, e, key: [simplify(one, key) for one in e]),
    "categorize": _Function("el", _categorized),
    "tag": _Function("el", _tagged),
    "contains": _Function("**", _contains),
    "print": _Function("********", lambda _, *__: None, optional=8),
    "nop": _Function("", lambda _: 1),
}
