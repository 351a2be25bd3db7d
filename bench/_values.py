"""Values drawn anew for each session that the byte model learns: what a model then learns is where
an address or a name returns, and which forms an option has, not one value by heart.
"""

import re
from collections.abc import Sequence

import numpy as np

from bench.make_text_prior import PLACEHOLDER, word_of

_ADDRESS = re.compile(rb"\b\d{1,3}(?:\.\d{1,3}){3}\b")
_STEM = re.compile(r"\b[a-z]{3,9}\b")
_NUMBER = re.compile(r"\d+")
_NAMES = {"file", "folder", "directory", "user", "username", "host", "hostname", "password", "name"}
"""What pages write where an owner types a name of his own."""
_FOLDERS = ("", "", "", "", "/tmp/", "/etc/", "~/", "./", "../", "src/", "/var/log/", "/home/")  # noqa: S108
_ENDINGS = ("", "", ".txt", ".py", ".sh", ".log", ".conf", ".md", ".c", ".zip")
_SHORT_SHARE, _OWN_SHARE = 0.6, 0.5
"""How often the short form of an option is drawn, and a value other than the page's."""


class SessionValues:
    """The values of one session: the same word of a page becomes the same value all through it."""

    def __init__(self, stems: Sequence[str], rng: np.random.Generator) -> None:
        self._stems, self._rng = stems, rng
        self._known: dict[str | bytes, str | bytes] = {}

    def command(self, command: str) -> str:
        """A page's example as a person would type it."""
        return PLACEHOLDER.sub(lambda match: self._word(match[1]), command)

    def line(self, line: bytes) -> bytes:
        """A person's line with other addresses."""
        return _ADDRESS.sub(lambda match: self._address(match[0]), line)

    def _word(self, placeholder: str) -> str:
        forms = placeholder.removeprefix("[").removesuffix("]").split("|")
        if placeholder.startswith("[") and len(forms) > 1:
            return forms[0 if self._rng.random() < _SHORT_SHARE else -1]
        chosen = forms[self._rng.integers(len(forms))]
        return " ".join(self._value(word) for word in chosen.split(" "))

    def _value(self, word: str) -> str:
        plain = word_of(word)
        if plain not in self._known:
            is_drawn = self._rng.random() < _OWN_SHARE
            self._known[plain] = self._drawn(word, plain) if is_drawn else plain
        return str(self._known[plain])

    def _drawn(self, word: str, plain: str) -> str:
        rng = self._rng
        stem = self._stems[rng.integers(len(self._stems))]
        if _ADDRESS.fullmatch(plain.encode()):
            return _private_address(rng).decode()
        if _NUMBER.fullmatch(plain):
            return str(int(plain) + int(rng.integers(0, 10)))
        if "path/to" in word:
            folder = _FOLDERS[rng.integers(len(_FOLDERS))]
            ending = plain[plain.rindex(".") :] if "." in plain else ""
            if not ending and "file" in plain:
                ending = _ENDINGS[rng.integers(len(_ENDINGS))]
            return folder + stem + ending
        return stem if plain.rstrip("0123456789") in _NAMES else plain

    def _address(self, old: bytes) -> bytes:
        if old not in self._known:
            is_local = old in {b"127.0.0.1", b"0.0.0.0"}
            self._known[old] = old if is_local else _private_address(self._rng)
        value = self._known[old]
        return value if isinstance(value, bytes) else value.encode()


def stems_of(texts: Sequence[str]) -> list[str]:
    """Words that names are made of."""
    return sorted({word for text in texts for word in _STEM.findall(text)})


def _private_address(rng: np.random.Generator) -> bytes:
    first, second = (
        (10, int(rng.integers(256))),
        (172, int(rng.integers(16, 32))),
        (192, 168),
    )[rng.integers(3)]
    third, fourth = rng.integers(1, 255, 2).tolist()
    return b"%d.%d.%d.%d" % (first, second, third if rng.random() < 0.5 else 1, fourth)
