"""Ray's own logs of a session that died, kept before its temp folder goes."""

import os
from pathlib import Path

from actors.ray_head import ray_temp
from selflow.core.clock import SystemClock, rfc3339
from selflow.core.paths import Root, disposable_folder, entries, private_folder, remove_entry

CRASHES_KEPT = 3
TAIL_BYTES = 1_000_000
"""Kept of each file: the end, where the reason stands."""


def keep_crash_logs(root: Root) -> Path:
    """Copy the ends of Ray's logs below ``log/crashes``, and forget all but the newest crashes.

    Returns:
        The folder of this crash.
    """
    source = ray_temp(root) / "session_latest" / "logs"
    crashes = disposable_folder(root.log / "crashes")
    target = private_folder(crashes / rfc3339(SystemClock().now_us()).replace(":", ""))
    for path in sorted(source.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as log:
                log.seek(max(0, path.stat().st_size - TAIL_BYTES))
                name = str(path.relative_to(source)).replace(os.sep, "-")
                (target / name).write_bytes(log.read(TAIL_BYTES))
    for old in entries(crashes)[:-CRASHES_KEPT]:
        remove_entry(crashes, old.name)
    return target
