"""Events, and the names that are made up."""

import dataclasses

import pytest

from selflow.core.events import Event
from selflow.core.ids import new_id, new_token


def test_an_event_cannot_be_changed() -> None:
    event = Event(1, "test", "note")

    with pytest.raises(dataclasses.FrozenInstanceError):
        event.kind = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        event.data["x"] = 1  # type: ignore[index]


def test_the_last_moment_of_the_calendar_is_exact() -> None:
    event = Event(253_402_300_799_999_999, "test", "note")

    assert event.ts.isoformat() == "9999-12-31T23:59:59.999999+00:00"


def test_ids_say_what_they_name_and_never_repeat() -> None:
    ids = {new_id("dec") for _ in range(1_000)}

    assert len(ids) == 1_000
    assert all(len(one) == 24 and one.startswith("dec_") for one in ids)


def test_tokens_carry_32_random_bytes() -> None:
    tokens = {new_token() for _ in range(100)}

    assert len(tokens) == 100
    assert all(len(token) == 46 and token.startswith("sf_") for token in tokens)
