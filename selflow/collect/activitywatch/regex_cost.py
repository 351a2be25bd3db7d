"""Searching with a stranger's regular expression without being held up by it.

Python's ``re`` counts no steps. So an expression that can take exponential time is refused, and one
that can take polynomial time only reads texts short enough for it.
"""

import re

MAX_STEPS = 1_000_000_000
_MAX_PATTERN_CHARS = 10_000


class SearchText:
    """Whether a text holds a match.

    Raises:
        ValueError: The expression may take exponential time. re.error: It is not valid.
    """

    def __init__(self, pattern: str, flags: int) -> None:
        if len(pattern) > _MAX_PATTERN_CHARS:
            raise ValueError("too long")
        self._pattern = re.compile(pattern, flags)
        degree = 1 + _degree(pattern)
        self._max_chars = max(64, int(MAX_STEPS ** (1 / degree)))

    def __call__(self, text: object) -> bool:
        """A text that is too long for the expression is searched at its beginning."""
        return isinstance(text, str) and bool(self._pattern.search(text[: self._max_chars]))


def _degree(pattern: str) -> int:
    """The most repetitions without an end that can follow each other in one alternative.

    Raises:
        ValueError: A repeated group holds a repetition or a choice, or there is a reference back.
    """
    plain = re.sub(r"\\[1-9]|\(\?P=", "\0", pattern)
    if "\0" in plain:
        raise ValueError("a reference back")
    plain = re.sub(r"\\.", "x", plain, flags=re.DOTALL)
    plain = re.sub(r"\[\^?\]?[^\]]*\]", "x", plain)
    groups = [False]
    counts, most = 0, 0
    for at, character in enumerate(plain):
        is_repeated = plain[at + 1 : at + 2] in {"*", "+", "{"}
        if character == "(":
            groups.append(False)
        elif character == ")" and len(groups) > 1:
            holds = groups.pop()
            if holds and is_repeated:
                raise ValueError("a repetition in a repetition")
            groups[-1] = groups[-1] or holds
        elif character in "*+{":
            groups[-1] = True
            counts += 1
        elif character == "|":
            groups[-1] = groups[-1] or len(groups) > 1
            most, counts = max(most, counts), counts if len(groups) > 1 else 0
    return max(most, counts)
