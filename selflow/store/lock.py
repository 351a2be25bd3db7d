"""One process at a time: a lock that the kernel lets go of when its holder dies."""

import fcntl
import os
from pathlib import Path

from selflow.core.errors import StoreError


def hold(path: Path, what: str) -> int:
    """Take the exclusive lock on ``path`` and write our process id into it.

    Returns:
        The descriptor that carries the lock; closing it, or dying, lets go.

    Raises:
        StoreError: Another holder, named by its process id, has ``what``.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        pid = os.pread(descriptor, 20, 0).decode("ascii", "replace") or "that is just starting"
        os.close(descriptor)
        raise StoreError(
            f"{what} is locked by process {pid}",
            "only one process may use it: stop that one with `selflow down`",
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)
    return descriptor
