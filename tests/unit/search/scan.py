"""What is true of a stream, found by plain loops: it shares no code with the index or the facts."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from selflow.core.events import Event

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 7, 22, 12, 0, tzinfo=ZONE)
"""A Wednesday, the day after the sample's last event."""
Test = Callable[[Event], bool]
Value = tuple[str, int]
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def local(event: Event) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.ts_us)).astimezone(ZONE)


def is_file(event: Event) -> bool:
    return event.kind == "file.change"


def is_command(event: Event) -> bool:
    return event.kind == "shell.command"


def is_document(event: Event) -> bool:
    ends = (".md", ".txt", ".docx", ".html", ".htm", ".tex", ".rst", ".odt", ".org", ".epub")
    return is_file(event) and event.subject.lower().endswith((*ends, ".rtf", ".pdf", ".doc"))


def year(number: int) -> Test:
    return lambda event: local(event).year == number


def month(number: int, month_number: int) -> Test:
    return lambda event: (local(event).year, local(event).month) == (number, month_number)


def days(low: str, high: str) -> Test:
    """Both days belong to it."""
    return lambda event: low <= str(local(event).date()) <= high


def subject(text: str) -> Test:
    return lambda event: event.subject == text


def under(folder: str) -> Test:
    return lambda event: is_file(event) and f"/{folder}/" in f"/{event.subject}"


def holds(word: str) -> Test:
    """A word, or its plural, in the path or the line, alone or as a part in camel case."""
    forms = {word, f"{word}s"}

    def test(event: Event) -> bool:
        text = event.subject
        words = {part.lower() for part in _PART.findall(text)}
        return bool(forms & (words | set(re.findall(r"[a-z0-9]+", text.lower()))))

    return test


def action(letter: str) -> Test:
    return lambda event: event.data.get("action") == letter


class Scan:
    """The stream in the order of the log, and what the tests expect of it."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events

    def chosen(self, *tests: Test) -> list[Event]:
        chosen = [event for event in self._events if all(test(event) for test in tests)]
        return sorted(chosen, key=lambda event: event.ts_us)

    def count(self, *tests: Test) -> list[Value]:
        chosen = self.chosen(*tests)
        commits = {event.data["step"] for event in chosen if "step" in event.data}
        values = [("events", len(chosen)), ("items", len({event.subject for event in chosen}))]
        return values + ([("commits", len(commits))] if commits else [])

    def first(self, *tests: Test) -> list[Value]:
        event = self.chosen(*tests)[0]
        return [(event.subject, event.ts_us)]

    def last(self, *tests: Test) -> list[Value]:
        event = self.chosen(*tests)[-1]
        return [(event.subject, event.ts_us)]

    def items(self, *tests: Test) -> list[Value]:
        subjects = [event.subject for event in self.chosen(*tests)]
        newest = {text: index for index, text in enumerate(subjects)}
        ranking = sorted(Counter(subjects).items(), key=lambda pair: (-pair[1], -newest[pair[0]]))
        return ranking[:5]

    def days(self, *tests: Test) -> list[Value]:
        counts = Counter(str(local(event).date()) for event in self.chosen(*tests))
        return [
            ("days", len(counts)),
            *sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:5],
        ]

    def gap(self, *tests: Test) -> list[Value]:
        moments = [event.ts_us for event in self.chosen(*tests)]
        longest, low = 0, 0
        for before, after in pairwise(moments):
            if after - before > longest:
                longest, low = after - before, before
        return [("gap_s", longest // 1_000_000), ("from", low)]

    def together(self, *tests: Test) -> list[Value]:
        meant = {id(event) for event in self.chosen(*tests)}
        own = {event.subject for event in self.chosen(*tests)}
        shared: Counter[str] = Counter()
        newest: dict[str, int] = {}
        for n, session in enumerate(self._sessions()):
            if any(id(event) in meant for event in session):
                shared.update({event.subject for event in session} - own)
                newest |= {e.subject: 1000 * n + i for i, e in enumerate(session)}
        ranking = sorted(shared.items(), key=lambda pair: (-pair[1], -newest[pair[0]]))
        return ranking[:5]

    def _sessions(self) -> list[list[Event]]:
        sessions: list[list[Event]] = []
        for event in self.chosen():
            if not sessions or event.ts_us - sessions[-1][-1].ts_us > 3_600_000_000:
                sessions.append([])
            sessions[-1].append(event)
        return sessions
