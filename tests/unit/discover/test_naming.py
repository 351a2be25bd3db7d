"""Names of patterns."""

import re

import numpy as np
import pytest

from selflow.core.steps import Step, event_label
from selflow.discover.naming import Pattern, describe, unique
from selflow.discover.windows import events_of, windows_of
from tests.unit.discover.worlds import FIRST_US, HOUR_US


def described(*paths: str) -> tuple[Pattern, ...]:
    """One window, and so one cluster, of eight changes per path."""
    steps = [
        Step(FIRST_US + 48 * day * HOUR_US + place, (event_label("file.change", path),))
        for day, path in enumerate(paths)
        for place in range(8)
    ]
    events = events_of(steps)
    n = len(paths)
    return describe(
        events, windows_of(events), np.zeros((n, 16)), np.arange(n, dtype=np.int32), np.ones(n)
    )


def names(patterns: tuple[Pattern, ...]) -> list[str]:
    return [each.name for each in patterns]


def test_a_name_is_the_three_most_telling_words() -> None:
    found = described("src/parser/token.py", "src/garden/roses.py", "src/thesis/figure.py")

    assert names(found) == ["parser-token-py", "garden-roses-py", "figure-thesis-py", "everything"]


def test_bare_numbers_and_letters_name_nothing() -> None:
    assert names(described("2024/a/12/report.md", "2024/b/13/beach.jpg"))[:2] == [
        "md-report",
        "beach-jpg",
    ]


@pytest.mark.parametrize(
    "path", ["Übung/Größe.TXT", "日本語/文書", "!!!", "a" * 200 + "/" + "b" * 200, "every/thing"]
)
def test_a_name_can_be_an_agents_name(path: str) -> None:
    for name in names(described(path, path)):
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name)


def test_names_differ() -> None:
    assert unique(["a b", "a-b", "a--b", "everything"], {"everything"}) == [
        "a-b",
        "a-b-2",
        "a-b-3",
        "everything-2",
    ]
