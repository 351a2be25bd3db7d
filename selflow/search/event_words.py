"""What of an event can be searched: its words, its folder, what it is about."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from selflow.core.events import COMMIT_MESSAGE, SHELL_COMMAND, Event, Json
from selflow.search.records import Action, Family

MAX_TEXT_CHARS = 4_000
"""Of the texts of one event that are indexed: a document's whole text belongs elsewhere."""
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[a-zA-Z])(?=\d)")
_IDENTIFIERS = frozenset({"step", "action"})
"""Keys of ``data`` that hold no text: a burst's number, a letter."""
_DOCUMENTS = frozenset(
    ("doc", "docx", "epub", "htm", "html", "md", "odt", "org", "pdf", "rst", "rtf", "tex", "txt")
)
_ACTIONS = {
    "A": Action.CREATED,
    "M": Action.CHANGED,
    "D": Action.DELETED,
    "R": Action.MOVED,
    "create": Action.CREATED,
    "modify": Action.CHANGED,
    "change": Action.CHANGED,
    "delete": Action.DELETED,
    "move": Action.MOVED,
}


@dataclass(frozen=True, slots=True)
class EventWords:
    """One event as the index keeps it."""

    item: str
    """What a list of the most frequent names: the subject, else the app, else the kind."""
    folder: str
    """As ``/docs/guide/``, so that a part of it can be found between two slashes; ``""`` if the
    event has none.
    """
    family: Family
    action: Action | None
    step: str
    """The commit it belongs to, unique among all sources; ``""`` if it belongs to none."""
    path_words: str
    words: str
    about_words: str
    """What many events share: kind and source."""
    number_words: str
    """Of its step: found by who types them, and no word of a question."""


def words_of(event: Event) -> EventWords:
    """Take an event apart. It is redacted already, because nothing else is in the log.

    Cost: 13 us for a path.
    """
    family = family_of(event)
    paths = [event.subject] if family & Family.FILES else []
    named = event.data.get("paths")
    paths += [path for path in named if isinstance(path, str)] if isinstance(named, list) else []
    folder = event.data.get("folder")
    if isinstance(folder, str):
        folder_text, paths = folder, [*paths, folder]
    else:
        folder_text = event.subject.rpartition("/")[0] if family & Family.FILES else ""
    step = event.data.get("step")
    texts = [event.app]
    texts += [] if family & Family.FILES else [event.subject]
    texts += [text for key, value in event.data.items() for text in _texts(key, value)]
    return EventWords(
        item=event.subject or event.app or event.kind,
        folder=f"/{folder_text.strip('/')}/" if folder_text.strip("/") else "",
        family=family,
        action=_action(event) if family & Family.FILES else None,
        step=f"{event.source}\0{step}" if family & Family.COMMITS and step else "",
        path_words=split_words("\n".join(paths)),
        words=split_words("\n".join(text for text in texts if text)[:MAX_TEXT_CHARS]),
        about_words=split_words(f"{event.kind}\n{event.source}"),
        number_words=str(step) if step else "",
    )


def split_words(text: str) -> str:
    """The text, and behind it the parts of its words in camel case: ``PrettyPrint.hs`` can be
    found by ``pretty`` too.
    """
    parts = _CAMEL.sub(" ", text)
    return text if parts == text else f"{text}\n{parts}"


def family_of(event: Event) -> Family:
    """What an event is about, from its kind and its subject's extension."""
    head = event.kind.partition(".")[0]
    if event.kind == SHELL_COMMAND:
        return Family.COMMANDS
    if event.kind == COMMIT_MESSAGE or head == "commit":
        return Family.COMMITS
    if head in {"file", "document"}:
        family = Family.FILES
        if head == "document" or event.subject.rpartition(".")[2].lower() in _DOCUMENTS:
            family |= Family.DOCUMENTS
        # The step of the watched files is a burst of saves; that of everything else a commit
        is_commit = "step" in event.data and event.source != "files"
        return family | (Family.COMMITS if is_commit else Family.OTHER)
    return Family.APPS if head in {"app", "window"} else Family.OTHER


def _action(event: Event) -> Action | None:
    stated = event.data.get("action")
    letter_or_verb = stated[:1] if isinstance(stated, str) else event.kind.rpartition(".")[2]
    return _ACTIONS.get(letter_or_verb)


def _texts(key: str, value: Json) -> Iterator[str]:
    if isinstance(value, str):
        if key not in _IDENTIFIERS and key != "folder":
            yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(key, item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(name, item)
