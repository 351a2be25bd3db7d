"""From a shell line to the program it runs."""

import re

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_WRAPPERS = {
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C", "-r", "-t", "-U"}),
    "doas": frozenset({"-u", "-C"}),
    "env": frozenset({"-u", "-C", "-S"}),
    "nice": frozenset({"-n"}),
    "ionice": frozenset({"-c", "-n"}),
    "timeout": frozenset({"-k", "-s"}),
    "stdbuf": frozenset({"-i", "-o", "-e"}),
    "nohup": frozenset[str](),
    "setsid": frozenset[str](),
    "time": frozenset[str](),
    "command": frozenset[str](),
    "builtin": frozenset[str](),
    "exec": frozenset({"-a"}),
}
"""Words that run another program, with those of their options that take a word of their own."""
_TAKES_FIRST_WORD = frozenset({"timeout"})
_SPLIT = re.compile(r"\s*(?:\|\|?|&&?|;)\s*|\s+")


def program_of(line: str) -> str:
    """The program that a shell line runs first: ``FOO=1 sudo -u me /usr/bin/git log | less`` gives
    ``git``.

    Assignments, wrappers (``sudo``, ``env``, ``time``, ...) with their options, opening brackets,
    quotes and the folder are taken off. A line that holds nothing but those gives its last wrapper,
    an empty line ``""``.
    """
    words = [word for word in _SPLIT.split(line.strip().lstrip("({! \t")) if word]
    place = 0
    wrapper = ""
    while place < len(words):
        word = _bare(words[place])
        if _ASSIGNMENT.match(word):
            place += 1
        elif word in _WRAPPERS:
            wrapper = word
            place = _after_options(words, place + 1, _WRAPPERS[word]) + (word in _TAKES_FIRST_WORD)
        else:
            return word
    return wrapper


def _after_options(words: list[str], place: int, with_value: frozenset[str]) -> int:
    while place < len(words) and words[place].startswith("-"):
        place += 2 if words[place] in with_value else 1
    return place


def _bare(word: str) -> str:
    word = word.strip("\"'`")
    return word.rstrip("/").rpartition("/")[2] or word
