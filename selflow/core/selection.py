"""Which stored events are meant: by time, source, kind, program, folder, words, or rules of
exclusion.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any, Self

from selflow.core.errors import UsageError
from selflow.core.events import Event, Json

Matches = Callable[[Event], bool]
"""Whether an event is meant."""
END_US = 253_402_300_800_000_000
"""After every moment."""
_TERM = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class EventSelection:
    """Events that fulfil all that is given. ``paths`` and ``apps`` are rules as in
    ``privacy.exclude_paths`` and ``privacy.exclude_apps``: an event fulfils one of them.
    """

    since_us: int = 0
    until_us: int = END_US
    source: str | None = None
    kind: str | None = None
    app: str | None = None
    folder: str | None = None
    words: str | None = None
    paths: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """What ``document`` gave."""
        known = {item.name for item in fields(cls)}
        values: dict[str, Any] = {n: value for n, value in document.items() if n in known}
        for name in ("paths", "apps"):
            values[name] = tuple(values.get(name, ()))
        return cls(**values)

    @property
    def rules(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The rules over paths and programs, the folder among them."""
        inside = (_literal(self.folder),) if self.folder else ()
        return (*inside, *self.paths), self.apps

    def document(self) -> dict[str, Json]:
        """As JSON."""
        values = asdict(self)
        return values | {name: list(values[name]) for name in ("paths", "apps")}

    def digest(self) -> str:
        """A short hash: two selections of the same digest mean the same."""
        text = json.dumps(self.document(), sort_keys=True)
        return sha256(text.encode()).hexdigest()[:12]

    def require_some(self) -> None:
        """Refuse a selection of everything.

        Raises:
            UsageError: Nothing is given.
        """
        if self == type(self)():
            raise UsageError(
                "nothing says which events", "give a time, a source, a program, a folder or words"
            )
        if self.since_us >= self.until_us:
            raise UsageError("the time ends before it begins", "give an earlier beginning")

    def covers(self, event: Event) -> bool:
        """Whether an event fulfils all but the rules, which are ``collect``'s."""
        return (
            self.since_us <= event.ts_us < self.until_us
            and self.source in {None, event.source}
            and self.kind in {None, event.kind}
            and self.app in {None, event.app}
            and (self.words is None or _holds(event, self.words))
        )


def event_text(event: Event) -> str:
    """All that an event says in words."""
    return " ".join([event.subject, event.app, *_texts(dict(event.data))])


def _holds(event: Event, words: str) -> bool:
    """Whether it has every word, or words that begin so."""
    terms = {term.lower() for term in _TERM.findall(event_text(event))}
    wanted = [term.lower() for term in _TERM.findall(words)]
    return bool(wanted) and all(any(term.startswith(begin) for term in terms) for begin in wanted)


def _texts(value: Json) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in _texts(item)]
    return []


def _literal(folder: str) -> str:
    """A folder as a rule that means it and all below it, whatever characters its name has."""
    plain = folder.rstrip("/") or "/"
    escaped = re.sub(r"([\\*?\[\]!#])", r"\\\1", plain)
    return f"{escaped}/" if plain != "/" else "/"
