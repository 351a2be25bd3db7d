"""Which events a selection means, and rules that are added while events come."""

import pytest

from selflow.collect.event_filter import EventFilter
from selflow.collect.normalise import Exclusions
from selflow.collect.redact import make_redactor
from selflow.collect.selecting import matches_of
from selflow.core.events import Event
from selflow.core.selection import EventSelection
from selflow.core.settings import PrivacySettings

HOME = "/home/me"


@pytest.mark.parametrize(
    ("folder", "subject", "is_meant"),
    [
        ("~/w", "~/w/a.py", True),
        ("/home/me/w/", "~/w/a.py", True),
        ("~/w", "~/work/a.py", False),
        ("~/a[1]", "~/a[1]/x.py", True),
        ("~/a*", "~/ab/x.py", False),
        ("~/w", "vim ~/w/a.py", True),
    ],
)
def test_a_folder_means_what_lies_in_it(folder: str, subject: str, is_meant: bool) -> None:  # noqa: FBT001
    matches = matches_of(EventSelection(folder=folder), HOME)

    assert matches(Event(1, "files", "file.modify", subject)) is is_meant


def test_a_selection_survives_its_document() -> None:
    selection = EventSelection(1, 2, "s", "k", "a", "~/f", "w", ("*.key",), ("signal",))

    assert EventSelection.from_json(selection.document()) == selection
    assert EventSelection.from_json(selection.document()).digest() == selection.digest()


def test_a_rule_that_is_added_holds_for_the_next_event() -> None:
    events = EventFilter(make_redactor(PrivacySettings()), Exclusions([], [], HOME), HOME)
    event = Event(1, "files", "file.modify", f"{HOME}/private/a.py")
    assert events.apply([event]).dropped == 0
    events.exclude(Exclusions(["~/private/"], [], HOME))

    assert events.apply([event]).dropped == 1
