"""A question in plain English as filters and wishes: a grammar, no model. What it does not know is
a word that the event must hold.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import tzinfo

from selflow.core.errors import UsageError
from selflow.search.records import Action, Family, Question, Wanted

MAX_QUESTION_CHARS = 2_000
MAX_TERMS = 32
"""Words that events must hold: each costs a look-up."""
_EXAMPLE = 'for example: selflow ask "what did I change in docs/ last week?"'
_QUOTED = re.compile(r'["“”]([^"“”]+)["“”]')
_FOLDER = re.compile(
    r"\b(?:in|inside|under|below|within|from)\s+(?:the\s+)?(?:folder\s+|directory\s+)?"
    r"(?P<path>[\w.~+-]*(?:/[\w.~+-]*)+)",
    re.IGNORECASE,
)
_NAMED_FOLDER = re.compile(
    r"\b(?:in|inside|under|below)\s+(?:the\s+)?(?:folder|directory)\s+(?P<path>[\w.~+-]+)"
    r"|\b(?:in|inside|under|below)\s+(?:the\s+)?(?P<path2>[\w.~+-]+)\s+(?:folder|directory)\b",
    re.IGNORECASE,
)


def _split(text: str) -> list[str]:
    return text.split()


_INSIDE = frozenset({"in", "inside", "under", "below", "within"})
_WISHES: tuple[tuple[Wanted, str], ...] = (
    ("gap", r"longest (?:gap|break|pause|interruption)|longest (?:time|stretch) without"),
    (
        "days",
        r"(?:per|by|each|every|busiest|most active) days?|daily|(?:which|what|how many) days?",
    ),
    ("together", r"together(?: with)?|along with|alongside|(?:in the )?same sessions?"),
    ("last", r"when did i last|last time|most recent(?:ly)?|latest|newest|\blast\b"),
    ("first", r"when did i first|first time|for the first time|earliest|oldest|\bfirst\b"),
    ("count", r"how many(?: times)?|how often|how much|(?:the )?number of|\bcount\b"),
    ("items", r"(?:the )?most(?: often| frequent(?:ly)?)?|which|top|what are|favou?rite"),
)
_WHEN = re.compile(r"\bwhen\b", re.IGNORECASE)
_FAMILIES = {
    Family.COMMANDS: "command commands run ran running typed execute executed",
    Family.COMMITS: "commit commits committed",
    Family.DOCUMENTS: "document documents",
    Family.FILES: (
        "file files change changes changed changing edit edits edited modify modified touch touched"
    ),
    Family.APPS: "app apps application applications program programs window windows",
}
_FAMILY_OF = {term: family for family, words in _FAMILIES.items() for term in _split(words)}
_ACTION_OF = {
    **dict.fromkeys(_split("create created creating add added adding"), Action.CREATED),
    **dict.fromkeys(_split("delete deleted deleting remove removed removing"), Action.DELETED),
    **dict.fromkeys(_split("rename renamed renaming move moved moving"), Action.MOVED),
}
_STOP = frozenset(
    _split(
        "a about all also altogether am an and any are as at be been below between but by came "
        "can come day days did do does doing done each ever every event events find folder for "
        "from get give go got had happened has have how i i've in inside into is it item items "
        "its list long made make many me mine more much my near not of often on one or our over "
        "overall own please show something such tell than that that's the their them then there "
        "these they thing things this those time times to total under until up us use used using "
        "was we went were what when where which who whom whose why will with within work worked "
        "working would you your "
    )
)


@dataclass(slots=True)
class _Parts:
    """What the tokens of a question gave so far."""

    families: list[Family] = field(default_factory=list)
    action: Action | None = None
    folders: list[str] = field(default_factory=list)
    path_words: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)


def understand(text: str, now_us: int, zone: tzinfo) -> Question:
    """Take a question apart. Pure: the same text, moment and zone give the same question.

    Raises:
        UsageError: It is empty, too long, or holds nothing that can be searched.
    """
    from selflow.search.periods import find_period  # its patterns are a megabyte

    if not text.strip():
        raise UsageError("the question is empty", _EXAMPLE)
    if len(text) > MAX_QUESTION_CHARS:
        raise UsageError(
            f"the question has {len(text):,} characters; at most {MAX_QUESTION_CHARS:,} are read",
            _EXAMPLE,
        )
    text = text.encode("utf-8", "replace").decode()  # half a character cannot be stored or found
    phrases = [phrase.strip() for phrase in _QUOTED.findall(text) if _can_match(phrase)]
    period, rest = find_period(_QUOTED.sub(" ", text), now_us, zone)
    folders, rest = _folders(rest)
    wanted, rest = _wishes(rest)
    parts = _read_tokens(rest)
    folders += parts.folders
    for path in [path for path in folders if "." in path.rsplit("/", 1)[-1].lstrip(".")]:
        folders.remove(path)
        parts.path_words.append(path)
    question = Question(
        text=text,
        wanted=wanted,
        period=period,
        family=_family(parts),
        action=parts.action,
        folders=tuple(f"/{path.strip('/')}/" for path in folders),
        path_words=tuple(parts.path_words),
        words=(*phrases, *parts.words),
    )
    if len(question.words) + len(question.path_words) > MAX_TERMS:
        raise UsageError(f"the question names more than {MAX_TERMS} words", _EXAMPLE)
    if question == Question(text):
        raise UsageError("the question holds nothing that can be searched", _EXAMPLE)
    return question


def _folders(text: str) -> tuple[list[str], str]:
    paths: list[str] = []

    def take(match: re.Match[str]) -> str:
        path = next(group for group in match.groups() if group)
        if path.strip("/") and _can_match(path):
            paths.append(path)
            return " "
        return match.group()

    for pattern in (_FOLDER, _NAMED_FOLDER):
        text = pattern.sub(take, text)
    return paths, text


def _wishes(text: str) -> tuple[tuple[Wanted, ...], str]:
    """What is asked for, in the order of the sentence, and the text without the words for it."""
    positions: list[tuple[int, Wanted]] = []
    for wanted, pattern in _WISHES:
        match = re.search(rf"\b(?:{pattern})\b", text, re.IGNORECASE)
        if match:
            positions.append((match.start(), wanted))
            blank: Callable[[re.Match[str]], str] = lambda m: " " * len(m.group())  # noqa: E731
            text = re.sub(rf"\b(?:{pattern})\b", blank, text, flags=re.IGNORECASE)
    wishes = [wanted for _, wanted in sorted(positions)]
    if _WHEN.search(text) and not {"first", "last"} & set(wishes):
        wishes += ["first", "last"]
    if "items" in wishes and {"days", "gap", "last", "first"} & set(wishes):
        wishes.remove("items")
    return tuple(wishes), text


def _read_tokens(text: str) -> _Parts:
    tokens = [token.strip("?!.,;:()[]{}<>*'`^|&=\\") for token in text.split()]
    tokens = [token for token in tokens if _can_match(token)]
    lowered = [token.lower() for token in tokens]
    is_command = any(_FAMILY_OF.get(token) is Family.COMMANDS for token in lowered)
    parts, is_inside = _Parts(), False
    for token, low in zip(tokens, lowered, strict=True):
        family = _FAMILY_OF.get(low)
        if is_command and family is not Family.COMMANDS:
            family = None
        if low in _INSIDE:
            is_inside = True
        elif family is not None:
            parts.families.append(family)
            is_inside = False
        elif low in _ACTION_OF and not is_command:
            parts.action = _ACTION_OF[low]
            is_inside = False
        elif low in _STOP:
            is_inside = is_inside and low in {"the", "my", "all"}
        elif token.endswith("/"):
            parts.folders.append(token)
        elif is_inside or "/" in token:
            parts.path_words.append(token)
        else:
            parts.words.append(token)
    return parts


def _family(parts: _Parts) -> Family:
    """All that was named must hold; a file that was created, changed or deleted is a file."""
    family = Family.OTHER
    for named in parts.families:
        family |= named
    if parts.action and family is Family.OTHER:
        family = Family.FILES
    return family


def _can_match(text: str) -> bool:
    return any(char.isalnum() for char in text)
