"""Sessions of a stream, and the blocks of them that the bootstrap draws whole because steps within
hang together.
"""

import numpy as np
from numpy.typing import NDArray

SESSION_GAP_S = 3600.0
BLOCK_STEPS, WANTED_BLOCKS = 20, 50
"""Steps of the smallest block, and as many blocks as one long session is cut into at least
(decision 0010).
"""
Ids = NDArray[np.int64]


def sessions(ts_us: Ids, gap_s: float = SESSION_GAP_S) -> Ids:
    """The session of each step: a longer pause than ``gap_s`` begins the next one.

    Args:
        ts_us: (n,), ascending, UTC microseconds.
        gap_s: Seconds.

    Returns:
        (n,), growing from 0. Cost: O(n).
    """
    return np.cumsum(np.diff(ts_us, prepend=ts_us[:1]) > gap_s * 1e6)


def block_starts(session: Ids) -> Ids:
    """Where the blocks of a stream, or of a part of it, begin.

    Args:
        session: (n,), the session of each step, ascending.

    Returns:
        (k,), ascending indices of steps, the first one 0; empty for fewer than 20 steps.

    Cost: O(n). Source: Carlstein 1986, blocks that do not overlap; here whole sessions where they
    are not too long.

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
