"""What a text says under its encoding: a secret is one also as ``%70%77``, ``&#112;`` or base64."""

import html
import re
import unicodedata
from binascii import a2b_base64
from collections.abc import Callable
from urllib.parse import unquote

_DECODINGS = 3
"""``%252F`` is ``%2F`` is ``/``: how often a text is decoded."""
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0]+"
)
"""Characters without width: they hide a word from a search and from nobody's eyes."""
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_MIN_CHARS = 16
_BASE64 = re.compile(
    r"(?<![A-Za-z0-9+=_-])(?:[A-Za-f][A-Za-z0-9+/_-]{3}){4,}+[A-Za-z0-9+/_-]{0,3}={0,2}(?![A-Za-z0-9])"
)
"""Of ASCII text every fourth character is one of the first 32 of the alphabet."""
_URL_SAFE = str.maketrans("-_", "+/")


def plain_text(text: str) -> str:
    r"""The text without invisible characters and without percent, HTML and ``\u`` encoding; letters
    and digits of full width, and digits of any script, as ASCII has them.

    The same object if there is nothing to decode.
    """
    for _ in range(_DECODINGS):
        decoded = _decoded(text)
        if decoded == text:
            break
        text = decoded
    return text


def _decoded(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
        text = "".join(_digit(char) if char.isdecimal() else char for char in text)
    if "%" in text:
        text = unquote(text)
    if "&" in text:
        text = html.unescape(text)
    if "\\u" in text:
        text = _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
    return text


def _digit(char: str) -> str:
    return str(unicodedata.decimal(char))


def replace_base64(text: str, holds_secret: Callable[[str], bool], slot: str) -> str:
    """Put ``slot`` in the place of every base64 of an ASCII text that holds a secret.

    A run is tried whole and, where it is a path, part by part.
    """

    def replace(match: re.Match[str]) -> str:
        run = match[0]
        if _says_secret(run, holds_secret):
            return slot
        if "/" not in run:
            return run
        return "/".join(
            slot if _says_secret(part, holds_secret) else part for part in run.split("/")
        )

    return _BASE64.sub(replace, text)


def _says_secret(run: str, holds_secret: Callable[[str], bool]) -> bool:
    run = run.rstrip("=")
    if len(run) < _MIN_CHARS or len(run) % 4 == 1:
        return False
    said = a2b_base64(run.translate(_URL_SAFE) + "=" * (-len(run) % 4))
    return said.isascii() and (text := said.decode()).isprintable() and holds_secret(text)
