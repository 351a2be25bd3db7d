"""Cells as tasks."""

import pytest

from selflow.plan.table import TaskColumns, Unusable, task_from, task_moment_us

COLUMNS = TaskColumns("t", estimate="e", actual="a", tags=("g",), completed="c", priority="p")


@pytest.mark.parametrize(
    "text", ["2004-02-26", "26-Feb-04", "26 February 2004", "2004/02/26", "20040226T000000Z"]
)
def test_a_day_is_read_however_it_is_written(text: str) -> None:
    assert task_moment_us(text) == 1_077_753_600_000_000


@pytest.mark.parametrize("text", ["", "26-Xyz-04", "31-Feb-04", "soon", "1e400", None, True])
def test_what_is_no_moment_is_refused(text: object) -> None:
    with pytest.raises((ValueError, OverflowError)):
        task_moment_us(text)


def test_an_empty_cell_is_missing_and_an_unusable_one_is_counted() -> None:
    unusable = Unusable()

    task = task_from({"t": "5", "e": "-2", "a": "", "c": "never", "g": "NA"}, COLUMNS, unusable)

    assert (task.estimate, task.actual, task.completed_us, task.tags) == (None, None, None, ())
    assert (unusable.durations, unusable.moments) == (1, 1)


def test_an_actual_is_known_at_its_completion_else_at_the_time() -> None:
    cells = {"t": "5", "a": "1", "c": "9"}

    assert task_from(cells, COLUMNS, Unusable()).known_us == 9_000_000
    assert task_from({"t": "5", "a": "1"}, COLUMNS, Unusable()).known_us is None
    assert task_from(cells, TaskColumns("t", actual="a"), Unusable()).known_us == 5_000_000


@pytest.mark.parametrize(
    ("cell", "tags"),
    [("a, b;c", ("a", "b", "c")), ("#x #y", ("x", "y")), ("in house", ("in house",))],
)
def test_one_column_may_hold_several_tags(cell: str, tags: tuple[str, ...]) -> None:
    assert task_from({"t": "5", "g": cell}, COLUMNS, Unusable()).tags == tags


def test_stated_priorities_are_numbers_or_levels() -> None:
    of = [
        task_from({"t": "5", "p": p}, COLUMNS, Unusable()).priority for p in ("2", "H", "low", "")
    ]

    assert of == [2.0, 1.0, 9.0, None]


def test_a_column_that_is_named_priority_is_taken() -> None:
    assert TaskColumns("t").with_priority(["t", "Priority"]).priority == "Priority"
    assert TaskColumns("t", priority="p").with_priority(["Priority"]).priority == "p"
