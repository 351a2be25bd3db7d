"""``query2``: values, functions, and each error by its name."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selflow.collect.activitywatch.query import run_query, split_statements
from selflow.collect.activitywatch.query_functions import FUNCTIONS, Period
from selflow.collect.activitywatch.regex_cost import SearchText
from selflow.collect.activitywatch.shapes import AwBucket
from selflow.collect.activitywatch.transforms import QueryEvent, fill_gaps, flood, inside
from selflow.core.errors import ApiError
from selflow.testing import ManualClock
from tests.unit.collect.activitywatch.worlds import NOW_US, WINDOW, Store, event

AFK = AwBucket("aw-watcher-afk_host", "afkstatus", "aw-watcher-afk", "host", NOW_US)
WINDOWS = f"e = query_bucket('{WINDOW.id}');"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store.make(tmp_path_factory.mktemp("aw") / "aw", WINDOW, AFK)
    made.insert(
        [
            event(0, 60, app="editor", title="● a.py - proj"),
            event(60, 30, app="browser", title="(3) News"),
            event(93, 40, app="editor", title="● a.py - proj"),
        ]
    )
    made.insert([event(0, 80, status="not-afk"), event(80, 100, status="afk")], AFK)
    yield made
    made.commit.close()


def period(store: Store, first_s: float = 0, last_s: float = 3_600) -> Period:
    ends = NOW_US + round(first_s * 1e6), NOW_US + round(last_s * 1e6)
    return Period(store.reader, *ends, ManualClock(NOW_US), 1e9)


def ask(store: Store, *lines: str) -> Any:
    return run_query(lines, period(store), "name")


def brief(events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(one["duration"], *one["data"].values()) for one in events]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("'a;b'", "a;b"),
        (r'"say \"x\""', 'say "x"'),
        (r"'\d+'", r"\d+"),
        ("[1, 'a', [true, False]]", [1, "a", [True, False]]),
        ("{'a': 1, \"b\": {'c': []}}", {"a": 1, "b": {"c": []}}),
        ("NAME", "name"),
        ("STARTTIME", "2026-01-01T00:00:00.000000+00:00"),
        ("nop()", 1),
        ("contains(['a'], 'a')", True),
        ("print(1, 'x')", None),
        ("query_bucket_names()", [WINDOW.id, AFK.id]),
        ("find_bucket('afk', 'host')", AFK.id),
        (f"query_bucket_eventcount('{WINDOW.id}')", 3),
        (f"sum_durations(query_bucket('{WINDOW.id}'))", 130.0),
    ],
)
def test_a_value_is_what_it_says(store: Store, text: str, value: object) -> None:
    assert ask(store, f"RETURN = {text};") == value


def test_a_day_of_windows_while_somebody_was_there(store: Store) -> None:
    found = ask(
        store,
        WINDOWS,
        f"afk = query_bucket('{AFK.id}');",
        "here = filter_keyvals(afk, 'status', ['not-afk']);",
        "e = filter_period_intersect(e, here);",
        "RETURN = sort_by_duration(merge_events_by_keys(e, ['app']));",
    )

    assert brief(found) == [(60.0, "editor"), (20.0, "browser")]


def test_gaps_are_filled_from_the_longer_neighbour(store: Store) -> None:
    found = ask(store, WINDOWS, "RETURN = flood(e);")

    assert [one["duration"] for one in found] == [60.0, 30.0, 43.0]


def test_classes_and_titles(store: Store) -> None:
    deep = r"[['Work', 'Py'], {'regex': '\.PY', 'ignore_case': true}]"
    found = ask(
        store,
        WINDOWS,
        "e = simplify_window_titles(e, 'title');",
        f"e = categorize(e, [[['Work'], {{'regex': 'editor'}}], {deep}]);",
        "RETURN = sort_by_timestamp(e);",
    )

    assert [(one["data"]["title"], one["data"]["$category"]) for one in found] == [
        ("a.py - proj", ["Work", "Py"]),
        ("News", ["Uncategorized"]),
        ("a.py - proj", ["Work", "Py"]),
    ]


def test_neighbours_of_an_equal_value_are_one_chunk(store: Store) -> None:
    found = ask(store, WINDOWS, "RETURN = chunk_events_by_key(sort_by_timestamp(e), 'app');")

    assert [(one["data"]["app"], len(one["data"]["subevents"])) for one in found] == [
        ("editor", 1),
        ("browser", 1),
        ("editor", 1),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        *(
            (text, "QueryParseException")
            for text in ("x = 1;", "RETURN = ;", "1 = 2;", "return x;")
        ),
        *(
            (text, "QueryParseException")
            for text in ("RETURN = 'a;", "RETURN = [1;", "RETURN = 1 2;")
        ),
        *(
            (text, "QueryParseException")
            for text in ("if x { y }", "RETURN = 1 + 1;", "RETURN = {1: 2};")
        ),
        *(
            (text, "QueryInterpretException")
            for text in ("RETURN = x;", "RETURN = x();", "RETURN = nop(1);")
        ),
        *(
            (text, "QueryFunctionException")
            for text in ("RETURN = query_bucket('x');", "RETURN = flood(1);")
        ),
        ("RETURN = find_bucket('nobody');", "QueryFunctionException"),
        (WINDOWS + "RETURN = filter_keyvals_regex(e, 'app', '(a+)+$');", "QueryFunctionException"),
        (WINDOWS + "RETURN = filter_keyvals_regex(e, 'app', '(');", "QueryFunctionException"),
        ("RETURN = " + "[" * 200, "QueryParseException"),
    ],
)
def test_each_mistake_has_its_name(store: Store, text: str, kind: str) -> None:
    with pytest.raises(ApiError) as refused:
        ask(store, text)

    assert (refused.value.status, refused.value.code) == (400, kind)


def test_a_query_that_takes_too_long_is_ended(store: Store) -> None:
    late = Period(store.reader, NOW_US, NOW_US, ManualClock(NOW_US), -1.0)
    with pytest.raises(ApiError, match="30 s"):
        run_query(["RETURN = nop();"], late, "")


def test_statements_are_cut_outside_of_quotes_alone() -> None:
    assert split_statements(r"""a = "x;\";"; b = ';';""") == [r'''a = "x;\";"''', " b = ';'"]


@pytest.mark.parametrize("pattern", ["(a*)*", "(a|a)+", r"(a)\1", "((a+)b){2,}", "(?P<x>a)(?P=x)"])
def test_an_expression_that_can_explode_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"repetition|reference"):
        SearchText(pattern, 0)


@pytest.mark.parametrize(
    "pattern", ["Firefox|Chrome", r"a\(+b", "[(a*)*]+", "^(GitHub|GitLab) .*$"]
)
def test_an_ordinary_expression_is_searched(pattern: str) -> None:
    assert SearchText(pattern, 0)("nothing of the kind (") in {True, False}


SPANS = st.lists(
    st.builds(
        lambda at, lasts, name: QueryEvent(at * 1_000_000, lasts * 1_000_000, {"a": name}),
        st.integers(0, 60),
        st.integers(0, 12),
        st.sampled_from("xy"),
    ),
    max_size=8,
)


def seconds(events: list[QueryEvent]) -> set[int]:
    return {at for one in events for at in range(one.ts_us // 10**6, one.end_us // 10**6)}


@given(first=SPANS, second=SPANS)
def test_periods_obey_the_algebra_of_sets(
    first: list[QueryEvent], second: list[QueryEvent]
) -> None:
    assert seconds(inside(first, second)) == seconds(first) & seconds(second)
    assert seconds(fill_gaps(first, second)) == seconds(first) | seconds(second)
    assert seconds(fill_gaps([], second)) == seconds(second)


@given(events=SPANS)
def test_flooding_loses_no_time(events: list[QueryEvent]) -> None:
    assert seconds(flood(events)) >= seconds(events)


@given(text=st.text(alphabet="ab1 '\"\\[]{}(),:=;RETURN", max_size=40))
def test_no_text_makes_the_parser_fail_otherwise(text: str) -> None:
    clock = ManualClock(NOW_US)
    nowhere = Period(None, 0, 0, clock, 1e9)  # type: ignore[arg-type]
    kind = "none"
    try:
        run_query([text], nowhere, "")
    except ApiError as error:
        kind = error.code

    assert kind in {"none", "QueryParseException", "QueryInterpretException"}


def test_every_function_of_the_contract_is_there() -> None:
    assert len(FUNCTIONS) == 25
