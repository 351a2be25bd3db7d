"""The hashed words and letter groups of a label as scikit-learn's HashingVectorizer counts them,
for processes that never load scikit-learn.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selflow.discover.features import EPSILON, HASHES, Floats, label_parts

NGRAMS = (3, 4)
_MASK = 0xFFFFFFFF
_MOST_NEGATIVE = -(2**31)


@dataclass(frozen=True, slots=True)
class HashedLabel:
    """Columns of a label's parts and of its letter groups, and the counts there, each normed to
    length 1.
    """

    kinds: tuple[NDArray[np.int64], Floats]
    text: tuple[NDArray[np.int64], Floats]


def hashed_label(label: str) -> HashedLabel:
    """The features of one label. Cost: about 3 us per letter."""
    return HashedLabel(_hashed(label_parts(label)), _hashed(_letter_groups(label)))


def project(parts: Sequence[tuple[NDArray[np.int64], Floats]], axes: Floats) -> Floats:
    """(w,): where the window of these labels lies by ``axes`` (4096, w); one row of
    ``features.content_of``.
    """
    counts = np.bincount(
        np.concatenate([columns for columns, _ in parts]),
        np.concatenate([values for _, values in parts]),
    )
    (present,) = counts.nonzero()
    point: Floats = np.sqrt(counts[present]) @ axes[present] / np.sqrt(max(counts.sum(), EPSILON))
    return point


def _hashed(features: Iterable[str]) -> tuple[NDArray[np.int64], Floats]:
    """Columns and values: counts, normed to length 1."""
    counts: Counter[int] = Counter()
    for feature in features:
        code = murmur3(feature.encode())
        column = (2**31 - 1 - (HASHES - 1)) if code == _MOST_NEGATIVE else abs(code)
        counts[column % HASHES] += 1
    values = np.array([*counts.values()], float)
    norm = float(np.linalg.norm(values))
    return np.array([*counts], np.int64), values / norm if norm else values


def _letter_groups(label: str) -> list[str]:
    """Groups of 3 and 4 characters within words that are padded with a space on either side."""
    groups = []
    for token in label.lower().split():
        padded = f" {token} "
        for size in NGRAMS:
            groups += [padded[i : i + size] for i in range(max(1, len(padded) - size + 1))]
            if len(padded) <= size:  # a short word counts once
                break
    return groups


def murmur3(data: bytes) -> int:
    """MurmurHash3 of 32 bits with seed 0, signed. Source: Austin Appleby, public domain."""
    code = 0
    whole = len(data) & ~3
    for start in range(0, whole, 4):
        code ^= _scrambled(int.from_bytes(data[start : start + 4], "little"))
        code = (code << 13 | code >> 19) & _MASK
        code = (code * 5 + 0xE6546B64) & _MASK
    if rest := data[whole:]:
        code ^= _scrambled(int.from_bytes(rest, "little"))
    code ^= len(data)
    code = (code ^ code >> 16) * 0x85EBCA6B & _MASK
    code = (code ^ code >> 13) * 0xC2B2AE35 & _MASK
    code ^= code >> 16
    return code - 2**32 if code & 0x80000000 else code


def _scrambled(block: int) -> int:
    block = block * 0xCC9E2D51 & _MASK
    block = (block << 15 | block >> 17) & _MASK
    return block * 0x1B873593 & _MASK
