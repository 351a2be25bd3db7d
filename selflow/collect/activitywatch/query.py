"""``query2``: statements ``name = expression`` over the events of some periods.

Values are integers, texts, lists, maps with text keys, variables and calls; the answer is the
variable RETURN.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from selflow.collect.activitywatch.query_functions import FUNCTIONS, Period, call
from selflow.collect.activitywatch.shapes import bad_request, moment_text
from selflow.collect.activitywatch.transforms import QueryEvent

_MAX_DEPTH = 64
_TOKEN = re.compile(
    r"\s*(?:(?P<name>[^\W\d]\w*)|(?P<whole>\d{1,18})|(?P<text>'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\")"
    r"|(?P<mark>[()\[\]{},:=]))",
    re.DOTALL,
)
_GIVEN = {"True": True, "False": False, "true": True, "false": False}
Names = dict[str, Any]
Value = Callable[[Names], Any]


def run_query(lines: Sequence[str], period: Period, name: str) -> Any:  # noqa: ANN401  (any JSON)
    """The value of RETURN for one period, as JSON.

    Raises:
        ApiError: 400 with the type QueryParseException, QueryInterpretException or
        QueryFunctionException.
    """
    names: Names = {
        **_GIVEN,
        "NAME": name,
        "STARTTIME": moment_text(period.start_us),
        "ENDTIME": moment_text(period.end_us),
    }
    for statement in split_statements("".join(lines)):
        target, value = _Parser(statement, period).statement()
        period.check_time()
        names[target] = value(names)
    if "RETURN" not in names:
        raise bad_request("the query assigns nothing to RETURN", "QueryParseException")
    return _document(names["RETURN"])


def split_statements(text: str) -> list[str]:
    """Cut at ``;`` outside of quotes."""
    statements, begin, quote, is_escaped = [], 0, "", False
    for at, character in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif character == "\\":
            is_escaped = True
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == ";":
            statements.append(text[begin:at])
            begin = at + 1
    return [one for one in (*statements, text[begin:]) if one.strip()]


class _Parser:
    """One statement, by recursive descent."""

    def __init__(self, text: str, period: Period) -> None:
        self._period = period
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        self._depth = 0
        offset = 0
        text = text.rstrip()
        while offset < len(text):
            match = _TOKEN.match(text, offset)
            if match is None:
                raise _syntax()
            self._tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            offset = match.end()

    def statement(self) -> tuple[str, Value]:
        """The name on the left and the value on the right."""
        kind, name = self._take()
        if kind != "name":
            raise bad_request("only a variable can be assigned", "QueryParseException")
        self._expect("=")
        value = self._value()
        if self._at != len(self._tokens):
            raise _syntax()
        return name, value

    def _value(self) -> Value:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise bad_request("the query is nested too deep", "QueryParseException")
        kind, text = self._take()
        value = self._of(kind, text)
        self._depth -= 1
        return value

    def _of(self, kind: str, text: str) -> Value:
        if kind == "whole":
            number = int(text)
            return lambda _: number
        if kind == "text":
            plain = text[1:-1].replace("\\" + text[0], text[0])
            return lambda _: plain
        if kind == "name":
            return self._call(text) if self._next() == "(" else _variable(text)
        if text == "[":
            items = self._items("]")
            return lambda names: [item(names) for item in items]
        if text == "{":
            return self._map()
        raise _syntax()

    def _call(self, name: str) -> Value:
        self._take()
        arguments, period = self._items(")"), self._period
        if name not in FUNCTIONS:
            return _unknown(name)
        return lambda names: call(name, period, [one(names) for one in arguments])

    def _items(self, end: str) -> list[Value]:
        items: list[Value] = []
        while self._next() != end:
            if items:
                self._expect(",")
            items.append(self._value())
        self._take()
        return items

    def _map(self) -> Value:
        entries: list[tuple[str, Value]] = []
        while self._next() != "}":
            if entries:
                self._expect(",")
            kind, text = self._take()
            if kind != "text":
                raise bad_request("a key of a map is a text", "QueryParseException")
            self._expect(":")
            entries.append((text[1:-1].replace("\\" + text[0], text[0]), self._value()))
        self._take()
        return lambda names: {key: value(names) for key, value in entries}

    def _next(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise _syntax()
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, mark: str) -> None:
        if self._take() != ("mark", mark):
            raise _syntax()


def _variable(name: str) -> Value:
    def value(names: Names) -> Any:  # noqa: ANN401  (any value)
        if name not in names:
            raise bad_request(f"the variable {name[:80]} is not defined", "QueryInterpretException")
        return names[name]

    return value


def _unknown(name: str) -> Value:
    def value(_: Names) -> Any:  # noqa: ANN401  (never returns)
        raise bad_request(f"there is no function {name[:80]}", "QueryInterpretException")

    return value


def _syntax() -> Exception:
    return bad_request("the query has a syntax error", "QueryParseException")


def _document(value: Any) -> Any:  # noqa: ANN401  (any value)
    if isinstance(value, QueryEvent):
        return {**value.document(), "data": _document(value.data)}
    if isinstance(value, Mapping):
        return {key: _document(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_document(item) for item in value]
    return value
