"""Whether the disk still takes what we write."""

import contextlib
import os
import tempfile
from pathlib import Path

RESERVE_BYTES = 1 << 20
"""What a transaction of the catalog and a log line need at least."""


def storage_problem(folder: Path) -> str:
    """Why ``folder`` takes no more data; empty if it does.

    Free blocks say nothing of quotas, limits and read-only mounts, so a nameless file is really
    given ``RESERVE_BYTES``; nothing of it stays. Cost: under a millisecond on a local disk.
    """
    try:
        with contextlib.closing(tempfile.TemporaryFile(dir=folder, buffering=0)) as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"cannot write to {folder}: {os.strerror(error.errno or 0)}; free some space"
    return ""
