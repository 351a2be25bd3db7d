"""What becomes of patterns from cycle to cycle, and which names they keep."""

from collections.abc import Sequence

import numpy as np
import pytest

from selflow.discover.identity import Past, Transition, identify
from selflow.discover.naming import Pattern
from selflow.discover.persistence import Labels


def pattern(number: int, name: str, *terms: str, alive: int | None = None) -> Pattern:
    words = tuple((term, 1.0) for term in terms)
    return Pattern(number, name, words, 1, 1, 0.5, 1.0, (0.0,) * 24, (), 1, alive_cycles=alive)


WHOLE = pattern(-1, "everything", "parser")


def labels(*numbers: int) -> Labels:
    return np.repeat(np.array(numbers, np.int32), 10)


def names(now: Sequence[Pattern], past: Past) -> list[str]:
    return [each.name for each in identify(now, past).patterns]


def changes(now: Sequence[Pattern], past: Past) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(each.change, each.pattern, each.into) for each in identify(now, past).transitions]


def test_a_pattern_keeps_its_name_by_its_words() -> None:
    before = [pattern(0, "old-parser", "parser", "token"), pattern(1, "old-garden", "garden")]
    now = [pattern(0, "roses-garden", "garden"), pattern(1, "thesis", "thesis", "figure")]

    assert names(now, Past(before)) == ["old-garden", "thesis"]


def test_steps_decide_where_words_are_half_alike() -> None:
    before, now = [pattern(0, "old", "parser", "token")], [pattern(3, "new", "parser", "lexer")]
    same = (np.array([3, 3, -1, 5], np.int32), np.array([0, 0, 0, 1], np.int32))
    other = (np.array([3, 3, 5, 5], np.int32), np.array([1, 1, 0, 0], np.int32))

    assert names(now, Past(before, same)) == ["old"]
    assert names(now, Past(before, other)) == ["new"]


def test_two_patterns_never_keep_one_name() -> None:
    before = [pattern(0, "parser", "parser")]
    now = [pattern(0, "parser", "parser"), pattern(1, "parser", "parser")]

    assert names(now, Past(before)) == ["parser", "parser-2"]


def test_a_new_pattern_never_gets_the_name_of_another_that_was() -> None:
    past = Past([pattern(0, "garden", "lawn")], absent={"thesis": (("draft", 1.0),)})
    now = [pattern(0, "garden", "garden"), pattern(1, "thesis", "thesis")]

    assert names(now, past) == ["garden-2", "thesis-2"]


def test_everything_is_nothing_but_itself_and_has_no_transition() -> None:
    part = pattern(0, "parser", "parser")

    assert names([WHOLE], Past([part])) == ["everything"]
    assert names([part], Past([WHOLE])) == ["parser"]
    assert changes([WHOLE], Past([WHOLE])) == []


def test_a_first_cycle_has_no_names_to_keep_and_all_emerge() -> None:
    now = [pattern(0, "parser", "parser"), WHOLE]

    assert names(now, Past()) == ["parser", "everything"]
    assert changes(now, Past()) == [("emerged", "parser", ("parser",))]
    assert identify([], Past([now[0]])).transitions == (
        Transition("parser", "disappeared", (), 0.0),
    )


def test_a_pattern_that_is_found_again_survived_and_says_how_alike_it_is() -> None:
    before, now = [pattern(0, "old", "parser")], [pattern(2, "new", "parser")]
    (change,) = identify(now, Past(before, (labels(2, 2, 2, -1), labels(0, 0, 1, 0)))).transitions

    assert change == Transition("old", "survived", ("old",), pytest.approx(0.5 * 2 / 3 + 0.5))


def test_a_pattern_that_comes_apart_is_split_whoever_keeps_its_name() -> None:
    before = [pattern(0, "writing", "letter", "report")]
    now = [pattern(0, "letter", "letter"), pattern(1, "report", "report")]
    past = Past(before, (labels(0, 0, 0, 1, 1), labels(0, 0, 0, 0, 0)))

    assert changes(now, past) == [("split", "writing", ("writing", "report"))]


def test_what_goes_over_into_another_is_absorbed() -> None:
    before = [pattern(0, "letter", "letter"), pattern(1, "report", "report")]
    now = [pattern(5, "letters", "letter", "report")]
    past = Past(before, (labels(5, 5, 5, 5, 5), labels(0, 0, 0, 1, 1)))

    assert changes(now, past) == [
        ("survived", "letter", ("letter",)),
        ("absorbed", "report", ("letter",)),
    ]


def test_what_nobody_takes_over_disappeared_and_what_came_from_nobody_emerged() -> None:
    before, now = [pattern(0, "letter", "letter")], [pattern(0, "garden", "garden")]
    past = Past(before, (labels(-1, -1, 0), labels(0, 0, -1)))

    assert changes(now, past) == [
        ("disappeared", "letter", ()),
        ("emerged", "garden", ("garden",)),
    ]


def test_a_pattern_that_was_absent_returns_under_its_name_and_begins_anew() -> None:
    past = Past([WHOLE], absent={"letters": (("letter", 1.0),)})
    found = identify([pattern(0, "letter", "letter")], past)

    assert [(each.name, each.alive_cycles) for each in found.patterns] == [("letters", 1)]
    assert found.transitions == (
        Transition("letters", "returned", ("letters",), pytest.approx(1.0)),
    )


def test_cycles_in_a_row_are_counted_for_what_keeps_its_name_alone() -> None:
    before = [pattern(0, "letter", "letter", alive=3)]
    now = [pattern(0, "letter", "letter"), pattern(1, "garden", "garden")]
    found = identify(now, Past(before)).patterns

    assert [each.alive_cycles for each in found] == [4, 1]
