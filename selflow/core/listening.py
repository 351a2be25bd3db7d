"""Whether something listens at an address, and whose it is."""

import socket
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

_PATIENCE_S = 1.0
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTEN = "0A"


def listens(address: str) -> bool:
    """Whether something accepts a connection at ``http://HOST:PORT``, ``tcp://…``, ``ipc://PATH``,
    ``unix://PATH`` or ``HOST:PORT``.
    """
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    try:
        if parts.scheme in {"ipc", "unix"}:
            with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
                probe.settimeout(_PATIENCE_S)
                probe.connect(address.partition("://")[2])
        else:
            with closing(
                socket.create_connection((parts.hostname or "", parts.port or 0), _PATIENCE_S)
            ):
                pass
    except (OSError, ValueError):
        return False
    return True


def listener_uids(address: str) -> set[int]:
    """The accounts whose processes listen at ``HOST:PORT`` of this machine, by Linux's own tables.

    Empty if the host is another machine's, or if this system has no such tables. Every listener on
    the port counts, whatever its interface: which of them answers is the kernel's choice.
    """
    return {uid for _, uid in _listeners(address)}


def listens_beyond_loopback(address: str) -> bool:
    """Whether other machines may reach ``HOST:PORT``: a host that is not this machine, or a
    listener on another interface than loopback.
    """
    listeners = _listeners(address)
    return not listeners or not all(_is_loopback(host) for host, _ in listeners)


def _listeners(address: str) -> set[tuple[str, int]]:
    """The interface, as the kernel's tables write it, and the account of each listener."""
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    if not _is_this_machine(parts.hostname or ""):
        return set()
    port = f"{parts.port or 0:04X}"
    return {
        (fields[1].rpartition(":")[0], int(fields[7]))
        for table in _TABLES
        if table.exists()
        for fields in map(str.split, table.read_text(encoding="ascii").splitlines()[1:])
        if fields[3] == _LISTEN and fields[1].rpartition(":")[2] == port
    }


def _is_loopback(host: str) -> bool:
    """Of 32-bit words in this machine's byte order (little-endian): 127.x.y.z ends in 7F."""
    is_v4 = len(host) == 8 or host.startswith("0000000000000000FFFF0000")
    return (is_v4 and host.endswith("7F")) or host == "0" * 24 + "01000000"


def _is_this_machine(host: str) -> bool:
    """Whether a name leads to an address of this machine: only those can be bound."""
    try:
        addresses = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError:
        return False
    for family, kind, protocol, _, target in addresses:
        try:
            with closing(socket.socket(family, kind, protocol)) as probe:
                probe.bind(target)
        except OSError:
            continue
        return True
    return False
