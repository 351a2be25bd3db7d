"""What a text says under its encoding: a secret is one also as ``%70%77`` or ``&#112;``.

Base64 needs no decoding: it looks drawn by chance (``entropy``).
"""

import html
import re
import unicodedata
from urllib.parse import unquote

_DECODINGS = 3
"""``%252F`` is ``%2F`` is ``/``: how often a text is decoded."""
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0]+"
)
"""Characters without width: they hide a word from a search and from nobody's eyes."""
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


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
