"""The processes of this node's Ray, as a worker of it sees them: its raylet and all below
it. Imports no Ray.
"""

from contextlib import suppress

import psutil

from selflow.core.processes import after_boot_us
from selflow.core.session_files import ProcessRecord

_REPLICA = "ray::ServeReplica:selflow"


def node_processes() -> list[ProcessRecord]:
    """The raylet above this process, and everything that it started. Cost: one pass over /proc."""
    records = []
    for process in _family():
        with suppress(psutil.Error):
            title = (process.cmdline() or [""])[0]
            name = title if title.startswith("ray::") else process.name()
            if (began_us := after_boot_us(process.pid)) is not None:
                records.append(ProcessRecord(name, process.pid, began_us))
    return records


def serve_replica() -> psutil.Process | None:
    """The replica that answers requests, if it runs on this node."""
    for process in _family():
        with suppress(psutil.Error):
            title = process.cmdline()
            if title and title[0].startswith(_REPLICA):
                return process
    return None


def _family() -> list[psutil.Process]:
    raylet = psutil.Process().parent()
    return [raylet, *raylet.children(recursive=True)] if raylet else []
