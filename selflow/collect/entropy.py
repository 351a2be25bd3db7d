"""Which strings look drawn by chance: base64 keys and generated passwords, but not paths and
identifiers.

Shannon entropy alone cannot tell: ``src/Text/Pandoc/Readers/LaTeX.hs`` has more bits per character
than many keys. What people write falls into words; what a generator writes falls into shreds of one
or two characters (``aB3``, ``xY``, ``9``). So a string must have the entropy *and* the shreds.
"""

import math
import re
from collections import Counter

MIN_CHARS = 20
MIN_BITS_PER_CHAR = 4.0
_MIXED_BITS_PER_CHAR = 3.6
"""Enough where small and capital letters and digits alternate: 20 such characters reach 4.0 only
half the time.
"""
_MIXED_SHRED_CHARS = 2.1
"""Mean length of a shred, in characters: 1.7 in random base64, 2.7 in random letters, 4 to 8 in
words.
"""
_NAME_SHRED_CHARS = 2.8
_WORD_SHRED_CHARS = 3.5
_RUN = re.compile(r"[A-Za-z0-9+/=_\-~!@#$%^&*?]{20,}")
_WORD = re.compile(r"[A-Za-z0-9]{20,}")
_SHRED = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_MIXED = re.compile(r"(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[^0-9]*[0-9]")


def bits_per_char(text: str) -> float:
    """Shannon entropy of the characters of a non-empty text, in bits per character."""
    n = len(text)
    return -sum(count / n * math.log2(count / n) for count in Counter(text).values())


def replace_random(text: str, slot: str) -> str:
    """Put ``slot`` in the place of every stretch that looks random.

    Cost: linear.
    Source: 4.0 bits and 20 characters are docs/learning.md#what-enters; the shreds are ours.
    """
    if len(text) < MIN_CHARS:
        return text
    text = _WORD.sub(lambda found: slot if _is_random_word(found[0]) else found[0], text)
    return _RUN.sub(lambda found: _clean_run(found[0], slot), text)


def _is_random_word(word: str) -> bool:
    """A word without separators. In one case nobody writes 17 different letters and digits in a
    row.
    """
    if word == word.lower() or word == word.upper():
        is_shredded = len(word) < _NAME_SHRED_CHARS * len(_SHRED.findall(word))
        return bits_per_char(word) > (_MIXED_BITS_PER_CHAR if is_shredded else MIN_BITS_PER_CHAR)
    return _is_shredded(word, _WORD_SHRED_CHARS)


def _is_shredded(text: str, max_shred_chars: float) -> bool:
    if len(text) < MIN_CHARS or len(set(text)) < 2**_MIXED_BITS_PER_CHAR:
        return False
    shreds = _SHRED.findall(text)
    chars = sum(map(len, shreds))
    if chars > max_shred_chars * len(shreds):
        return False
    is_mixed = chars <= _MIXED_SHRED_CHARS * len(shreds) and _MIXED.match(text) is not None
    return bits_per_char(text) > (_MIXED_BITS_PER_CHAR if is_mixed else MIN_BITS_PER_CHAR)


def _clean_run(run: str, slot: str) -> str:
    """Judge each name of a path; then, for keys with slashes in them, the run and its most shredded
    stretch.
    """
    if "/" not in run:
        return slot if _is_shredded(run, _NAME_SHRED_CHARS) else run
    cleaned = "/".join(
        slot if _is_shredded(name, _NAME_SHRED_CHARS) else name for name in run.split("/")
    )
    if cleaned != run or _MIXED.match(run) is None:
        return cleaned
    return _without_stretch(run, slot)


def _without_stretch(run: str, slot: str) -> str:
    """A key with slashes in it, inside a path: find the stretch of pieces that are shortest
    together.
    """
    shreds = [found.span() for found in _SHRED.finditer(run)]
    if (
        sum(end - start for start, end in shreds) <= _MIXED_SHRED_CHARS * len(shreds)
        and bits_per_char(run) > _MIXED_BITS_PER_CHAR
    ):
        return slot
    first, last = _most_shredded(shreds)
    if shreds[last - 1][1] - shreds[first][0] < MIN_CHARS // 2:
        return run
    while first > 0 and shreds[first - 1][1] == shreds[first][0]:
        first -= 1
    while last < len(shreds) and shreds[last][0] == shreds[last - 1][1]:
        last += 1
    start, end = shreds[first][0], shreds[last - 1][1]
    stretch = run[start:end]
    return (
        run[:start] + slot + run[end:]
        if _MIXED.match(stretch) and _is_shredded(stretch, _NAME_SHRED_CHARS)
        else run
    )


def _most_shredded(shreds: list[tuple[int, int]]) -> tuple[int, int]:
    """The stretch of pieces with the largest sum of (allowed length - length), as [first, last)."""
    best, best_span, total, first = -math.inf, (0, 0), 0.0, 0
    for index, (start, end) in enumerate(shreds):
        if total <= 0:
            total, first = 0.0, index
        total += _NAME_SHRED_CHARS - (end - start)
        if total > best:
            best, best_span = total, (first, index + 1)
    return best_span
