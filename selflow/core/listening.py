"""Whether something listens at an address."""

import socket
from contextlib import closing
from urllib.parse import urlsplit

_PATIENCE_S = 1.0


def listens(address: str) -> bool:
    """Whether something accepts a connection at ``http://HOST:PORT``, ``tcp://…``, ``ipc://PATH``
    or ``HOST:PORT``.
    """
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    try:
        if parts.scheme == "ipc":
            with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
                probe.settimeout(_PATIENCE_S)
                probe.connect(address.removeprefix("ipc://"))
        else:
            with closing(
                socket.create_connection((parts.hostname or "", parts.port or 0), _PATIENCE_S)
            ):
                pass
    except (OSError, ValueError):
        return False
    return True
