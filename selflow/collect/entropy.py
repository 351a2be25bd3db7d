"""Which strings look drawn by chance: keys and generated passwords, but not paths and identifiers.

Two explanations of a text compete, character by character. *Written*: what people and packagers
type, as a table of letter pairs and of changes between small and capital letters (``_PAIR_BITS``,
``_CAPITAL_BITS``). *Drawn*: each character of a word independent and uniform over the kinds of
characters that the word shows (26, 36, 52 or 62). The stretch where "drawn" wins by more than
``MIN_EVIDENCE_BITS`` is a secret. This is the log-likelihood ratio test (Neyman and Pearson 1933)
with the best stretch by Kadane's algorithm; the table is first-order (Shannon 1951).

Shannon's entropy of one text alone cannot tell: ``src/Text/Pandoc/Readers/LaTeX.hs`` has more bits
per character than many keys, and 20 random letters of 26 have fewer than its limit.

Rates: ``docs/decisions/0020-random-strings.md``, made by ``bench/privacy.py``, which also makes the
table.
"""

import math
import re
from collections.abc import Iterator
from functools import lru_cache

MIN_CHARS = 16
"""Shorter runs are left alone: at 16 characters a fair share of words would be lost with them."""
MIN_EVIDENCE_BITS = 32.0
"""How much less likely "written" must be. Less finds more secrets and loses more paths: of package
paths .15 % are changed at 28 bits, .05 % at 32, .02 % at 36; decision 0020 has the other side.
"""
_SURELY_NOT_BITS = MIN_EVIDENCE_BITS - 1e-6
"""Less, however the sums are rounded."""
_MIN_STRETCH_CHARS = 12
_SEPARATOR_BITS = -3.0
_SLASH_BITS = -8.0
_MARK_BITS = 0.0
"""What stands between words speaks for "written", but a key may hold a few of them. The marks that
passwords like (``!@#$%^&*?``) stand in commands too and say nothing.
"""
_MARKS = frozenset("!@#$%^&*?")

DIGIT, OTHER = 26, 27
SYMBOLS = 28
"""Characters as the table sees them: letters without case, any digit, anything else."""

_FIRST_CODE = 33
BITS_PER_CODE = 0.125
_PAIR_BITS = (
    "iLAGn`BuIxS>;>~G~?D3PXZgXdx!",
    "<\\J_4d\\q>Rk>N[5XhIHV?ll^[dp!",
    "BlRa<cq?R}A8Oq5Ux@R=MowhO~|!",
    "?R\\J3VXo;t\\TTY?QyJO]Ngh^e~r!",
    "HTCKTXYsdxkEI@dOc8;=eQUHVwo!",
    "ClXVGF\\p+taDZ^;buKJMMoetRwp!",
    "Re6`5jYNA~qR\\ONYwBHYRbuzn2w!",
    "5mY_9fcwG~g\\Zl=R~T^BN~in`ev!",
    "IG;HJNF~p~r<F4@KvG?<pRvW~Y}!",
    "9kVN5giaIJoeTd<Gag.kK^cal~}!",
    "<[RR0QGfDsuTO`O^t[APAf_~dtm!",
    "Ce\\K4ckn4|eD`n5C~nJPJYunYn~!",
    "7=TN4f^oE~_AIe<<lgQVUhfq`~w!",
    ":lE@<E<oBqXZUQIO~f=9NTsijxt!",
    "WTJJiVMqX\\Y=A7MG~9JL8TO^]z~!",
    "5^VLBjSDJ~WCOG?JxBKJAigs8~t!",
    "_pOXPcVt`i~5DZYatUSR*_`~z~r!",
    "@\\GM3ZLy>~LSMO>YyUBCJLk~E~}!",
    "NiE\\9ccGE~UTZ]BN[aC5GYWsB~x!",
    ";pTa8^n<?~kM[e8M~HJNTqUXN~w!",
    "VES3G]U~I~oDE>h>~>>5cd~X~k~!",
    ";ZSc0]Ji2~faFZKP~bSVal~fnm[!",
    "7rVQBbZK=~aS]F3WsK?]`mSsW~z!",
    "@YFQATiaJ~aTAYT@}]Q3addNNX_!",
    ";XTZSfbxaxhV3NX@rO=Nis^kb]j!",
    ";bVR1SVU;~nRM_?T{UEWNuj~QNf!",
    "ZW^cjeiuukrlhr~`~rZbugpa~lH!",
    "GLBFOJAMHV[KKLQ<dIADPQW[[g^!",
)
"""Row: the character before; column: the character. Bits of surprise: (code - 33) / 8."""
_CAPITAL_BITS = ((0.01, 7.8), (1.76, 0.51), (0.11, 3.81), (0.07, 4.41))
"""(small, capital): bits of surprise after a small letter, a capital, a digit, anything else."""

RUN = re.compile(r"[A-Za-z0-9+/=_\-~!@#$%^&*?]{16,}")
"""Where a drawn string may stand; so may base64, UUIDs and hexadecimal numbers."""
_PART = re.compile(r"[A-Za-z0-9]+|[^A-Za-z0-9]")
_SMALL, _CAPITAL, _NUMBER, _ELSE = range(4)


def symbol(char: str) -> int:
    """The row or column of a character: 0 to 25 a letter, ``DIGIT``, ``OTHER``."""
    if "a" <= char <= "z":
        return ord(char) - 97
    if "A" <= char <= "Z":
        return ord(char) - 65
    return DIGIT if "0" <= char <= "9" else OTHER


def letter_case(char: str) -> int:
    """The row of a character in ``_CAPITAL_BITS``."""
    if "a" <= char <= "z":
        return _SMALL
    if "A" <= char <= "Z":
        return _CAPITAL
    return _NUMBER if "0" <= char <= "9" else _ELSE


_SYMBOL = [symbol(chr(code)) for code in range(128)]
_CASE = [letter_case(chr(code)) for code in range(128)]
_SURPRISE = [[(ord(code) - _FIRST_CODE) * BITS_PER_CODE for code in row] for row in _PAIR_BITS]


def replace_random(text: str, slot: str) -> str:
    """Put ``slot`` in the place of every stretch that looks drawn by chance.

    A stretch is widened to whole words, so that no end of a key stays.

    Cost: linear; .2 to .4 us for each character of a run of 16 and more (one core of two).
    """
    if len(text) < MIN_CHARS:
        return text
    return RUN.sub(lambda match: _without_drawn(match[0], slot), text)


def _without_drawn(run: str, slot: str) -> str:
    """The run with each stretch that is evidently drawn replaced, from left to right."""
    if not _may_be_drawn(run):
        return run
    pieces: list[str] = []
    done = 0
    for start, end in drawn_stretches(run):
        pieces += [run[done:start], slot]
        done = end
    return "".join(pieces) + run[done:] if pieces else run


def drawn_stretches(run: str) -> Iterator[tuple[int, int]]:
    """The whole words around each stretch with the evidence of a draw, as [start, end).

    ``run`` is ASCII. The stretches come from left to right and do not touch: each is the best one
    (Kadane) before the evidence since its beginning is used up. What lies between its end and
    there is for the next pass of ``redact``.
    """
    best_bits = bits = 0.0
    first = start = end = done = 0
    for index, gain in enumerate([*evidence_bits(run), -math.inf]):
        bits += gain
        if bits > best_bits:
            best_bits, start, end = bits, first, index + 1
        if bits > 0.0:
            continue
        if best_bits > MIN_EVIDENCE_BITS:
            start, end = _whole_words(run, max(start, done), end)
            if end - start >= _MIN_STRETCH_CHARS:
                yield start, end
                done = end
        best_bits = bits = 0.0
        first = index + 1


def _whole_words(run: str, start: int, end: int) -> tuple[int, int]:
    while start > 0 and run[start - 1].isalnum():
        start -= 1
    while end < len(run) and run[end].isalnum():
        end += 1
    return start, end


def evidence_bits(run: str) -> list[float]:
    """For each character of an ASCII text: log2 P(drawn) - log2 P(written)."""
    evidence: list[float] = []
    before = " "
    for part in _PART.findall(run):
        evidence += _part_bits(before, part)
        before = part[-1]
    return evidence


@lru_cache(maxsize=16_384)
def _part_bits(before_char: str, part: str) -> tuple[float, ...]:
    """The evidence of one word or of one mark; folders and names come again and again."""
    if not part.isalnum():
        return (_between_bits(part),)
    before = ord(before_char)
    drawn_bits = math.log2(_alphabet_size(part))
    evidence: list[float] = []
    for code in part.encode():
        surprise_bits = _SURPRISE[_SYMBOL[before]][_SYMBOL[code]]
        if _CASE[code] <= _CAPITAL:
            surprise_bits += _CAPITAL_BITS[_CASE[before]][_CASE[code]]
        gain = surprise_bits - drawn_bits
        evidence.append(min(gain, 0.0) if code == before else gain)  # a key that was held down
        before = code
    return tuple(evidence)


@lru_cache(maxsize=16_384)
def _part_sums(before_char: str, part: str) -> tuple[float, float, float, float]:
    """Of the evidence of a part: its sum, and the most of a stretch that begins where the part
    does, that ends where it does, and that lies anywhere in it; none is less than 0 but the sum.
    """
    begins = ends = best = total = 0.0
    for bits in _part_bits(before_char, part):
        total += bits
        begins = max(begins, total)
        ends = max(ends + bits, 0.0)
        best = max(best, ends)
    return total, begins, ends, best


def _may_be_drawn(run: str) -> bool:
    """Whether some stretch has the evidence of a draw: the same sums as in ``drawn_stretches``, a
    part at a time and remembered. Most runs are passed by here.
    """
    before, open_bits = " ", 0.0
    for part in _PART.findall(run):
        total, begins, ends, best = _part_sums(before, part)
        if best > _SURELY_NOT_BITS or open_bits + begins > _SURELY_NOT_BITS:
            return True
        open_bits = max(ends, open_bits + total)
        before = part[-1]
    return False


def _between_bits(char: str) -> float:
    if char == "/":
        return _SLASH_BITS
    return _MARK_BITS if char in _MARKS else _SEPARATOR_BITS


def _alphabet_size(run: str) -> int:
    is_cased = run.upper() != run.lower()
    has_digit = any("0" <= char <= "9" for char in run)
    letters = (52 if run not in {run.upper(), run.lower()} else 26) if is_cased else 0
    return letters + 10 * has_digit
