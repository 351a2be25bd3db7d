"""The records of the hooks: read whole, whatever bytes stand there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selflow.collect.companion.records import MAX_COMMAND_CHARS, events_of, parse

NOW_US = 1_767_225_600_000_000


def record(command: bytes = b"git status", **fields: bytes) -> bytes:
    """A record with some fields of one's own."""
    whole = {
        "version": b"1",
        "ts": str(NOW_US).encode(),
        "shell": b"zsh",
        "folder": b"/src",
        "status": b"1",
        "duration": b"1500000",
        "suggestion": b"",
        "command": command,
    } | fields
    return b"".join(value + b"\0" for value in whole.values())


def commands(content: bytes) -> list[str]:
    return [event.subject for event in events_of(parse(content).records, NOW_US) if event]


def test_a_record_is_an_event() -> None:
    (event,) = events_of(parse(record(suggestion=b"dec_1:edited:6")).records, NOW_US)

    assert event is not None
    assert (event.ts_us, event.source, event.kind) == (NOW_US, "shell", "shell.command")
    assert (event.subject, event.app, event.duration_s) == ("git status", "zsh", 1.5)
    assert dict(event.data) == {
        "folder": "/src",
        "exit_status": 1,
        "suggestion": {"decision_id": "dec_1", "outcome": "edited", "typed_bytes": 6},
    }


@pytest.mark.parametrize("said", [b"", b"dec_1", b"dec_1:liked:6", b"dec 1:edited:6"])
def test_without_a_whole_suggestion_there_is_none(said: bytes) -> None:
    events = events_of(parse(record(suggestion=said)).records, NOW_US)

    assert all(event is None or "suggestion" not in event.data for event in events)


def test_several_lines_and_binary_bytes_are_one_command() -> None:
    assert commands(record(b"echo 'a\nb'") + record(b"echo \xff\x1b[2J")) == [
        "echo 'a\nb'",
        "echo \ufffd\x1b[2J",
    ]


def test_half_a_record_is_not_whole_and_hides_nothing_before_it() -> None:
    content = record() + record(b"make")

    for end in range(len(record()) + 1, len(content)):
        parsed = parse(content[:end])
        assert (len(parsed.records), parsed.is_whole, parsed.damaged) == (1, False, 0)
    assert parse(content).is_whole


@pytest.mark.parametrize("cut", range(1, len(record(b"lost command"))))
def test_what_comes_after_half_a_record_is_read_again(cut: int) -> None:
    parsed = parse(record(b"lost command")[:cut] + record(b"make") + record(b"ls"))

    assert [fields[-1] for fields in parsed.records] == [b"make", b"ls"]
    assert parsed.damaged == 1
    assert parsed.is_whole


def test_a_line_that_begins_with_a_space_is_left_out() -> None:
    assert commands(record(b" secret") + record(b"\tsecret") + record(b"ls")) == ["ls"]


def test_a_line_of_a_megabyte_is_counted_and_not_stored() -> None:
    content = record(b"x" * 1_000_000) + record(b"y" * MAX_COMMAND_CHARS)
    events = list(events_of(parse(content).records, NOW_US))

    assert [event is None for event in events] == [True, False]


def test_a_command_of_the_future_is_not_stored() -> None:
    content = record(ts=str(NOW_US + 1).encode())

    assert list(events_of(parse(content).records, NOW_US)) == [None]


@given(st.lists(st.binary(max_size=40), max_size=12), st.binary(max_size=40))
def test_any_bytes_can_be_read_and_whole_records_are_found(
    texts: list[bytes], noise: bytes
) -> None:
    written = [text.replace(b"\0", b"") for text in texts]
    parsed = parse(b"".join(map(record, written)) + noise)

    assert [fields[-1] for fields in parsed.records[: len(written)]] == written
    assert all(event is None or event.subject for event in events_of(parsed.records, NOW_US))
