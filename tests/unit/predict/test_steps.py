"""What happened at once is one step, whoever cuts the stream, and whenever it was cut."""

import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from selflow.core.errors import ShapeError
from selflow.core.events import Event
from selflow.core.steps import Step, event_label, label_event
from selflow.predict.steps import StepBuilder, steps_from_rows, switches
from selflow.testing.streams import work
from tests.unit.predict.worlds import events

SECOND_US = 1_000_000


def _file(ts_us: int, name: str, step: str | None = None) -> Event:
    return Event(ts_us, "files", "file.modify", name, data={} if step is None else {"step": step})


def _names(steps: list[Step]) -> list[list[str]]:
    return [[label_event(label)[1] for label in step.labels] for step in steps]


@given(st.text(), st.text())
@example("\\x", "\x1f")
@example("a\x1fb\\", "c\\x")
def test_a_label_tells_its_kind_and_subject_again(kind: str, subject: str) -> None:
    assert label_event(event_label(kind, subject)) == (kind, subject)


def test_rows_are_held_in_little_memory() -> None:
    rows = ((n * 1_000_000, f"label {n % 300}", f"{n // 3}", "me") for n in range(9_000))
    tracemalloc.start()
    try:
        steps = steps_from_rows(rows)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert len(steps) == 3_000
    assert peak_bytes < 9_000 * 250


def test_a_plain_text_is_a_subject_without_a_kind() -> None:
    assert label_event("git status") == ("", "git status")


def test_rows_of_one_group_are_one_step() -> None:
    rows = [
        (5, "b", "c1", "u"),
        (3, "x", None, "u"),
        (5, "a", "c1", "u"),
        (5, "a", "c1", "v"),
        (3, "y", "", "u"),
    ]

    assert steps_from_rows(rows) == [
        Step(3, ("x",), "u"),
        Step(3, ("y",), "u"),
        Step(5, ("b", "a"), "u"),
        Step(5, ("a",), "v"),
    ]


def test_switches_hold_nothing_twice_in_a_row() -> None:
    kept = switches(work(1, 80, ("ann", "bob")))
    last: dict[str, set[str]] = {}
    for step in kept:
        assert step.labels
        assert not last.get(step.user, set()) & set(step.labels)
        last[step.user] = set(step.labels)
    assert switches(kept) == kept


def test_a_save_burst_is_one_step() -> None:
    builder = StepBuilder()
    fed = [
        _file(0, "a"),
        _file(SECOND_US, "b"),
        _file(2 * SECOND_US, "a"),
        _file(9 * SECOND_US, "c"),
    ]
    done = [step for event in fed for step in builder.feed(event)]

    assert done == [Step(0, (event_label("file.modify", "a"), event_label("file.modify", "b")))]
    assert _names(builder.open_steps()) == [["c"]]
    assert _names(builder.close()) == [["c"]]
    assert builder.open_steps() == []


@pytest.mark.setting("predict.burst_gap_s")
@pytest.mark.parametrize(("gap_s", "steps"), [(0.5, 3), (2.0, 1)])
def test_the_gap_says_what_a_burst_is(gap_s: float, steps: int) -> None:
    builder = StepBuilder(gap_s)
    done = [step for i in range(3) for step in builder.feed(_file(i * SECOND_US, str(i)))]

    assert len(done + builder.close()) == steps


def test_a_named_step_is_one_however_long_it_takes() -> None:
    builder = StepBuilder()
    fed = [_file(i * SECOND_US, name, "c1") for i, name in enumerate("abc")] + [
        _file(3 * SECOND_US, "d", "c2")
    ]
    done = [step for event in fed for step in builder.feed(event)]

    assert _names(done + builder.close()) == [["a", "b", "c"], ["d"]]


def test_another_source_neither_ends_nor_joins_a_burst() -> None:
    builder = StepBuilder()
    shell = Event(SECOND_US, "shell", "shell.command", "make")
    done = [
        step
        for event in (_file(0, "a"), shell, _file(SECOND_US, "b"))
        for step in builder.feed(event)
    ]

    assert _names(done) == [["make"]]
    assert _names(builder.close()) == [["a", "b"]]


def test_every_event_is_in_exactly_the_step_of_its_moment() -> None:
    builder = StepBuilder()
    stream = events(2, 150)
    done = [step for event in stream for step in builder.feed(event)] + builder.close()

    assert {label for step in done for label in step.labels} == {
        event_label(e.kind, e.subject) for e in stream
    }
    assert len(done) < len(stream)


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_builder_saved_inside_a_burst_goes_on_alike(cut: int) -> None:
    stream = events(3, 80)
    one = StepBuilder(1.0)
    for event in stream[:cut]:
        one.feed(event)
    other = StepBuilder.load(one.save())

    assert other.open_steps() == one.open_steps()
    assert [other.feed(event) for event in stream[cut:]] == [
        one.feed(event) for event in stream[cut:]
    ]
    assert other.save() == one.save()


@pytest.mark.parametrize("state", [b"", b"\x90", b"\x93\xa1x\x00\x90"])
def test_what_is_no_saved_builder_is_refused(state: bytes) -> None:
    with pytest.raises(ShapeError, match=f"{len(state)} bytes are not saved steps"):
        StepBuilder.load(state)
