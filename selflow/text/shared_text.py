"""Lines that many people may share: how often each byte follows each context in them.

The lines ship as text (``shared_lines.msgpack``, written by bench/make_text_prior.py); the table is
counted when it is first asked for.
"""

import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files

import msgpack
import numpy as np
from numpy.typing import NDArray

from selflow.core.errors import ShapeError
from selflow.text.lines import END

SHARED_SCHEMA = "selflow.text.shared_lines/1"
SHARED_FILE = "shared_lines.msgpack"
ORDER = 5
"""The longest context, in bytes."""
START = b"\n"
"""Stands before the first byte of a line, so that its beginning is a context of its own."""
DAMPING = 0.4
"""Counts of shared text enter by this power: the hundredth example of an option says little more
about what one person types than the tenth.
"""
_SYMBOL_BITS, _BYTE_BITS = 9, 8


def encode_lines(lines: Sequence[bytes], note: str) -> bytes:
    """Lines as the file that is shipped; ``note`` says whose they are."""
    packed = zlib.compress(START.join(lines), 9)
    return bytes(msgpack.packb({"schema": SHARED_SCHEMA, "note": note, "lines": packed}))


def decode_lines(data: bytes) -> tuple[str, list[bytes]]:
    """The note and the lines in those bytes.

    Raises:
        ShapeError: They hold no lines of this version.
    """
    try:
        raw = msgpack.unpackb(data)
        if raw["schema"] != SHARED_SCHEMA:
            raise ValueError  # noqa: TRY301  (one answer to all that is wrong with the bytes)
        return raw["note"], zlib.decompress(raw["lines"]).split(START)
    except (ValueError, TypeError, KeyError, zlib.error, msgpack.UnpackException) as error:
        raise ShapeError(
            f"the {len(data):,} bytes are not shared lines ({SHARED_SCHEMA})",
            "write the file again with bench/make_text_prior.py",
        ) from error


@cache
def shipped() -> "SharedText":
    """The table of the lines that come with SelFlow."""
    return SharedText(decode_lines(files("selflow.text").joinpath(SHARED_FILE).read_bytes())[1])


class SharedText:
    """Counts of the bytes after each context of 0 to ``ORDER`` bytes; read only.

    Cost: bench/text.py prints the time; estimated 40 bytes of memory per byte of lines.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        """Lines with a line feed in them are left out."""
        text = b"".join(START + line for line in lines if START not in line)
        codes, counts = _count(np.frombuffer(text, np.uint8))
        self._contexts, first = np.unique(codes >> _SYMBOL_BITS, return_index=True)
        self._starts = [*first.tolist(), len(codes)]
        self._symbols = (codes & ((1 << _SYMBOL_BITS) - 1)).astype(np.int16)
        self._counts = np.asarray(counts**DAMPING, np.float64)

    def counts(self, context: bytes) -> dict[int, float] | None:
        """How often each symbol followed a context; None if it never came."""
        key = _key(context)
        index = int(self._contexts.searchsorted(key))
        if index == len(self._contexts) or self._contexts[index] != key:
            return None
        start, stop = self._starts[index], self._starts[index + 1]
        symbols, counts = self._symbols[start:stop].tolist(), self._counts[start:stop].tolist()
        return dict(zip(symbols, counts, strict=True))


def _key(context: bytes) -> int:
    """A context as a number: a leading 1 tells contexts of different lengths apart."""
    return (1 << (_BYTE_BITS * len(context))) | int.from_bytes(context, "big")


def _count(text: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each (context, symbol) as one number, sorted, and how often it came."""
    if not len(text):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    is_start = text == START[0]
    symbols = np.append(text[1:], START[0]).astype(np.int64)
    symbols[np.append(is_start[1:], True)] = END
    begins = np.flatnonzero(is_start)
    column = np.arange(len(text)) - np.repeat(begins, np.diff(np.append(begins, len(text))))
    key = np.zeros(len(text), np.int64)
    codes = [(1 << _SYMBOL_BITS) | symbols]
    for order in range(1, ORDER + 1):
        older = np.roll(text, order - 1).astype(np.int64)
        key |= older << (_BYTE_BITS * (order - 1))
        tagged = key | (1 << (_BYTE_BITS * order))
        codes.append(((tagged << _SYMBOL_BITS) | symbols)[column >= order - 1])
    return np.unique(np.concatenate(codes), return_counts=True)
