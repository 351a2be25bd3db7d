"""From a shell line to the programs it runs: one parser for labels and for the owner's exclusions.

Both readings take time linear in the length of the line and never fail: a history holds half lines,
open quotes and pasted text.
"""

import itertools
import re
from collections.abc import Iterator

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
_RUNNERS = _WRAPPERS | {
    "xargs": frozenset({"-I", "-n", "-P", "-d", "-L", "-s", "-a", "-E"}),
    "watch": frozenset({"-n", "-d"}),
    "strace": frozenset({"-e", "-o", "-p", "-s", "-u"}),
    "flock": frozenset({"-w", "-E"}),
    "taskset": frozenset[str](),
    "chrt": frozenset[str](),
    "systemd-run": frozenset({"-p", "-u", "-E"}),
    "pkexec": frozenset({"--user"}),
    "unbuffer": frozenset[str](),
    "chronic": frozenset[str](),
    "caffeinate": frozenset({"-t", "-w"}),
}
"""For exclusions more words count as wrappers than for labels, where they are what was done."""
_TAKES_FIRST = _TAKES_FIRST_WORD | {"flock", "taskset", "chrt"}
_SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "fish", "su"})
_KEYWORDS = frozenset({"if", "then", "else", "elif", "do", "while", "until", "!", "{", "}"})
_MAX_DEPTH = 3
_OPERATORS = frozenset({"|", "||", "|&", "&", "&&", ";", ";;", "(", ")", "$(", "`"})
_PIECE = re.compile(r"\\.|\$\(|\|[|&]?|&&?|;;?|[()`'\"]|\s+|[^\s\\|&;()`'\"$]+|.", re.DOTALL)
"""A line in pieces: an escape, an operator, a quote, white space, a run of anything else."""
_SPLIT = re.compile(r"\s*(?:\|\|?|&&?|;)\s*|\s+")


def program_of(line: str) -> str:
    """The program that a shell line runs first: ``FOO=1 sudo -u me /usr/bin/git log | less`` gives
    ``git``.

    Assignments, wrappers (``sudo``, ``env``, ``time``, ...) with their options, opening brackets,
    quotes and the folder are taken off. A line that holds nothing but those gives its last wrapper,
    an empty line ``""``.
    """
    words = [word for word in _SPLIT.split(line.strip().lstrip("({! \t")) if word]
    index = 0
    wrapper = ""
    while index < len(words):
        word = _bare(words[index])
        if _ASSIGNMENT.match(word):
            index += 1
        elif word in _WRAPPERS:
            wrapper = word
            index = _after_options(words, index + 1, _WRAPPERS[word]) + (word in _TAKES_FIRST_WORD)
        else:
            return word
    return wrapper


def programs_of(line: str) -> Iterator[str]:
    """Every program that a shell line runs, wrappers included, in order: ``cd x && timeout 5 sudo
    -u me pass show y`` gives ``cd``, ``timeout``, ``sudo``, ``pass``.

    Looks into lists, pipes, subshells, ``$(...)``, backticks, and the text after ``-c`` of a shell.
    Quoted operators are text. Names come as they are written, with their folder.
    """
    pending = [(line, 0)]
    while pending:
        text, depth = pending.pop()
        for words in _commands(text):
            index = 0
            while index < len(words) and (
                words[index] in _KEYWORDS or _ASSIGNMENT.match(words[index])
            ):
                index += 1
            while index < len(words):
                yield words[index]
                name = _bare(words[index])
                index += 1
                if name in _SHELLS and depth < _MAX_DEPTH:
                    pending.extend((inner, depth + 1) for inner in _scripts(words[index:]))
                if name not in _RUNNERS:
                    break
                index = _after_options(words, index, _RUNNERS[name]) + (name in _TAKES_FIRST)
                while index < len(words) and _ASSIGNMENT.match(words[index]):
                    index += 1


def _scripts(words: list[str]) -> Iterator[str]:
    """The texts that a shell is told to run: the word after ``-c``, also in ``-lc``."""
    for option, text in itertools.pairwise(words):
        if re.fullmatch(r"-[a-z]*c", option):
            yield text


def _commands(line: str) -> Iterator[list[str]]:
    """The simple commands of a line as words without their quotes; a substitution comes before the
    command that it stands in.
    """
    reader = _Reader()
    for match in _PIECE.finditer(line):
        yield from reader.take(match[0])
    yield from reader.end()


class _Reader:
    """Puts pieces of a line together as words and commands; may meet its end anywhere."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._word: list[str] | None = None
        self._quote = ""
        self._outer: list[tuple[str, str, list[str], list[str]]] = []
        """Of each open substitution: what closes it, and quote, words and word around it."""

    def take(self, piece: str) -> Iterator[list[str]]:
        """Read on; gives every command that ends here."""
        if self._quote == "'" or (self._quote and piece not in {'"', "$(", "`"}):
            if piece == self._quote:
                self._quote = ""
            else:
                self._add(piece)
        elif piece in {"'", '"'}:
            self._quote = "" if self._quote else piece
            self._add("")
        elif self._outer and piece == self._outer[-1][0]:
            yield from self._command()
            _, self._quote, self._words, self._word = self._outer.pop()
        elif piece in {"$(", "`"}:
            closer = ")" if piece == "$(" else piece
            self._outer.append((closer, self._quote, self._words, self._word or []))
            self._quote, self._words, self._word = "", [], None
        elif piece in _OPERATORS or "\n" in piece:
            yield from self._command()
        elif piece.isspace():
            self._end_word()
        else:
            self._add(piece.removeprefix("\\") or piece)

    def end(self) -> Iterator[list[str]]:
        """The commands that were still open."""
        yield from self._command()
        while self._outer:
            _, _, self._words, self._word = self._outer.pop()
            yield from self._command()

    def _add(self, text: str) -> None:
        if self._word is None:
            self._word = []
        self._word.append(text)

    def _end_word(self) -> None:
        if self._word is not None:
            self._words.append("".join(self._word))
            self._word = None

    def _command(self) -> Iterator[list[str]]:
        self._end_word()
        if self._words:
            yield self._words
        self._words = []


def _after_options(words: list[str], index: int, with_value: frozenset[str]) -> int:
    while index < len(words) and words[index].startswith("-"):
        index += 2 if words[index] in with_value else 1
    return index


def _bare(word: str) -> str:
    word = word.strip("\"'`")
    return word.rstrip("/").rpartition("/")[2] or word
