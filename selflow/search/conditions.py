"""A question as conditions of SQL and as an expression of FTS5."""

import re
from collections.abc import Callable, Iterable, Sequence

from selflow.search.records import Family, Question

_TOKEN = re.compile(r"\w+")
_QUESTION_COLUMNS = "path words about"
"""Columns in which a question's words are looked for."""
_TYPED_COLUMNS = "path words number"
"""Columns in which the beginnings of words are looked for: not in what most events share."""

Forms = Callable[[str], Sequence[str]]


def where(question: Question, forms: Forms, *, may_miss_words: bool) -> tuple[str, list[object]]:
    """The filters of a question as ``WHERE`` on the table of events, with its values."""
    conditions: list[tuple[str, list[object]]] = []
    if question.period:
        period = question.period
        conditions.append(
            ("ts_us >= ? AND ts_us < ?", [_int64(period.since_us), _int64(period.until_us)])
        )
    if question.family is not Family.OTHER:
        conditions.append(("family & ? = ?", [int(question.family)] * 2))
    if question.action:
        conditions.append(
            ("action = (SELECT id FROM name WHERE text = ?)", [question.action.value])
        )
    for folder in question.folders:
        inside = "folder IN (SELECT id FROM name WHERE instr(lower(text), ?))"
        conditions.append((inside, [folder.lower()]))
    if question.kinds:
        either = " OR ".join("text = ? OR substr(text, 1, ?) = ?" for _ in question.kinds)
        kinds: list[object] = []
        for kind in question.kinds:
            kinds += [kind, len(kind) + 1, f"{kind}."]
        among = f"kind IN (SELECT id FROM name WHERE {either})"  # noqa: S608
        conditions.append((among, kinds))
    expression = expression_of(question, forms, may_miss_words=may_miss_words)
    if expression:
        matches = "seq IN (SELECT rowid FROM text WHERE text MATCH ?)"
        conditions.append((matches, [expression]))
    text = " AND ".join(f"({condition})" for condition, _ in conditions)
    return (
        f" WHERE {text}" if text else " WHERE 1",
        [value for _, values in conditions for value in values],
    )


def expression_of(question: Question, forms: Forms, *, may_miss_words: bool) -> str:
    """The question's words in the language of FTS5, each quoted: no word is an operator."""
    quoted = [_any_of(forms(term), _QUESTION_COLUMNS) for term in question.words]
    required = [_any_of(forms(term), "path") for term in question.path_words]
    if may_miss_words and len(quoted) > 1:
        quoted = [f"({' OR '.join(quoted)})"]
    return " AND ".join([*required, *quoted])


def typed_expression(text: str) -> str:
    """What somebody types, as an expression: every word, or words that begin so; ``""`` if it holds
    none.
    """
    return " AND ".join(
        f"{{{_TYPED_COLUMNS}}} : {_quoted(token)} *" for token in _TOKEN.findall(text)
    )


def _any_of(terms: Iterable[str], columns: str) -> str:
    return f"({{{columns}}} : ({' OR '.join(map(_quoted, terms))}))"


def _quoted(term: str) -> str:
    return '"' + term.replace('"', '""').replace("\0", " ") + '"'


def _int64(value: int) -> int:
    return max(-(1 << 63), min((1 << 63) - 1, value))
