"""What an answer says, what it rests on, and what is said when there is none."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from selflow.core.errors import UsageError
from selflow.core.events import Event
from selflow.search.asking import Request, SearchPlace, answer_document, ask
from selflow.search.records import Answer, Wanted
from tests.unit.search.conftest import ShrinkingLog
from tests.unit.search.scan import NOW

Asked = Callable[[str], Answer]
NOW_US = round(NOW.timestamp() * 1e6)
DAY_US = 86_400_000_000


def event(
    kind: str, subject: str, days_ago: float = 1, source: str = "files", **data: str
) -> Event:
    return Event(NOW_US - round(days_ago * DAY_US), source, kind, subject, data=data)


STREAM = [
    event("file.create", "src/parser.py", 9),
    event("file.modify", "src/parser.py", 8),
    event("file.modify", "docs/guide/start.md", 8),
    event("shell.command", "git commit -m x", 8, "shell", folder="~/work/docs"),
    event("file.modify", "src/PrettyPrint.hs", 2),
    event("shell.command", "pytest -k parser", 1, "shell", folder="~/work"),
    event("commit.message", "Mend the parser", 1, "git", step="abc"),
    event("window.focus", "Inbox", 1, "windows"),
]


@pytest.fixture
def stream(log: ShrinkingLog) -> None:
    log.add(STREAM)


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize(
    ("text", "seqs"),
    [
        ("parser", {1, 2, 6, 7}),
        ("Parsers", {1, 2, 6, 7}),
        ("what did I change in the parser last week?", {1, 2}),
        ("files in the parser", {1, 2}),
        ("which files did I create?", {1}),
        ("documents", {3}),
        ("commands", {4, 6}),
        ("which commands did I run in docs/", {4}),
        ("commits", {7}),
        ("apps", {8}),
        ("what did I do in docs/guide/", {3}),
        ("in the docs folder", {3, 4}),
        ("pretty", {5}),
        ('"git commit"', {4}),
        ("how often did I run git commit", {4}),
        ("yesterday", {6, 7, 8}),
        ('parser" OR docs NOT (NEAR', set()),
        ("in 50% of the _ cases", set()),
    ],
)
def test_a_question_means_the_events_for_which_all_of_it_holds(
    text: str, seqs: set[int], asked: Asked
) -> None:
    answer = asked(text)

    assert answer.event_count == len(seqs)
    assert not seqs or {result.seq for result in answer.results} == seqs


@pytest.mark.usefixtures("stream")
def test_limits_of_a_request_hold_beside_its_words(where: SearchPlace) -> None:
    def seqs(**limits: object) -> list[int]:
        request = replace(Request("parser"), **limits)  # type: ignore[arg-type]
        return sorted(result.seq for result in ask(request, where).results)

    assert seqs(kinds=("file",)) == [1, 2]
    assert seqs(kinds=("file.create", "shell.command")) == [1, 6]
    assert seqs(since_us=NOW_US - 8 * DAY_US, until_us=NOW_US - 2 * DAY_US) == [2]
    assert len(seqs(limit=1)) == 1


@pytest.mark.usefixtures("stream")
def test_each_sentence_names_the_events_behind_it(asked: Asked) -> None:
    facts = {fact.wanted: fact for fact in asked("files in src/").facts}

    assert {wanted: fact.seqs for wanted, fact in facts.items()} == {
        "count": (5, 2, 1),
        "first": (1,),
        "last": (5,),
        "items": (5, 2, 1),
        "days": (5, 2, 1),
        "together": (4, 3),
    }
    assert facts["count"].text == "3 changes of 2 files."
    assert facts["days"].values[0].number == 3


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("how many files", ["count"]),
        ("when did I last change a file", ["last", "count"]),
        ("when did I run pytest", ["first", "last", "count"]),
        ("which files did I change most on which day", ["days", "count"]),
        ("longest gap between files, and how many per day", ["gap", "count", "days"]),
    ],
)
def test_only_what_was_asked_for_is_answered(text: str, wanted: list[Wanted], asked: Asked) -> None:
    assert [fact.wanted for fact in asked(text).facts] == wanted


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("files yesterday", "nothing was found"),
        ("files in 2031", "nothing was found: that time lies in the future"),
        (
            "files in 2019 after 2020",
            "nothing was found: the times in the question have no moment in common",
        ),
    ],
)
def test_nothing_found_is_said_with_what_was_understood(text: str, note: str, asked: Asked) -> None:
    answer = asked(text)

    assert (answer.event_count, answer.facts, answer.results) == (0, (), ())
    assert answer.notes == (note,)
    assert answer.understood


@pytest.mark.usefixtures("stream")
def test_events_with_some_of_the_words_are_results_and_no_facts(asked: Asked) -> None:
    answer = asked("parser zebra")

    assert (answer.event_count, answer.facts) == (0, ())
    assert {result.seq for result in answer.results} == {1, 2, 6, 7}
    assert answer.notes == (
        "nothing was found",
        "no event holds 'zebra'",
        "the results are the nearest events; none holds all of the question",
    )


@pytest.mark.usefixtures("stream")
def test_a_slip_of_the_keys_finds_the_nearest_word(asked: Asked) -> None:
    answer = asked("which files did I change in the praser")

    assert (answer.event_count, answer.facts) == (0, ())
    assert [result.seq for result in answer.results] == [2, 1]
    assert answer.notes[1] == "no event holds 'praser'; the nearest word in your events is 'parser'"


@pytest.mark.parametrize(
    "text", ["", "  \n", "?!", '"" AND ( *', "what did I do", "x" * 2_001, "x " * 40]
)
def test_a_question_without_anything_to_search_is_refused(text: str, asked: Asked) -> None:
    with pytest.raises(UsageError, match="question") as caught:
        asked(text)

    assert "for example" in caught.value.hint


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize(
    "text", ["²", "caf\udce9", "\0docs", "a:b^c*", "{x} + -y", "日本 ☃ x", "'; DROP"]
)
def test_no_characters_break_a_question(text: str, asked: Asked) -> None:
    assert asked(text).understood


def test_an_empty_log_is_said(asked: Asked) -> None:
    assert asked("docs").notes == ("nothing was found: the event log is empty",)


def test_the_same_log_and_moment_give_the_same_answer(
    log: ShrinkingLog, where: SearchPlace
) -> None:
    log.add(STREAM)
    before = ask(Request("parser"), where)
    (where.folder / "search.db").unlink()

    assert ask(Request("parser"), where) == before


@pytest.mark.usefixtures("stream")
def test_events_after_a_period_do_not_change_its_answer(log: ShrinkingLog, asked: Asked) -> None:
    before = asked("files in src/ last week")
    log.add(event("file.modify", f"src/late{n}.py", 0.5) for n in range(9))

    assert asked("files in src/ last week") == before


@pytest.mark.usefixtures("stream")
def test_the_document_has_the_shape_of_the_search_route(asked: Asked) -> None:
    document = answer_document(asked("PrettyPrint.hs"))

    assert document["results"] == [
        {
            "kind": "event",
            "id": "5",
            "ts": "2026-07-20T10:00:00.000000Z",
            "text": "file.modify src/PrettyPrint.hs",
            "score": pytest.approx(1 / 61),
        }
    ]
