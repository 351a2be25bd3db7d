"""Sessions of a stream, and the blocks of them that the bootstrap draws whole because steps within
hang together.
"""

import numpy as np
from numpy.typing import NDArray

SESSION_GAP_S, BLOCK_STEPS, WANTED_BLOCKS = 3600.0, 20, 50
Ids = NDArray[np.int64]


def sessions(ts_us: Ids, gap_s: float = SESSION_GAP_S) -> Ids:
    """(n,) number of each step's session, growing from 0; a longer pause than ``gap_s`` begins the
    next one.
    """
    return np.cumsum(np.diff(ts_us, prepend=ts_us[:1]) > gap_s * 1e6)


def block_starts(session: Ids) -> Ids:
    """(k,) places where the blocks of a stream, or of a part of it, begin; none for fewer than 20
    steps.

    Sessions are joined to at least 20 steps. One is cut, into equal pieces of at least 20, only
    where it would hold more than a 50th of all steps by itself: a few blocks leave nothing to draw
    from.
    """
    starts, n = [0], len(session)
    longest = max(BLOCK_STEPS, n // WANTED_BLOCKS)
    for run in np.split(np.arange(n), np.flatnonzero(np.diff(session)) + 1):
        for piece in np.array_split(run, max(1, len(run) // longest)):
            if len(piece) and piece[0] - starts[-1] >= BLOCK_STEPS:
                starts.append(int(piece[0]))
    if n - starts[-1] < BLOCK_STEPS:  # the rest goes to the block before it
        starts.pop()
    return np.array(starts, dtype=np.int64)
