"""Keeps the internal gRPC server of every Serve replica on loopback.

Ray 2.60 opens it on ``[::]:0`` (``ray/serve/_private/replica.py``), asks for its token there and
unpickles what it receives; other machines must not reach it at all. ``keep_replicas_on_loopback``
is the job-level ``worker_process_setup_hook`` of every driver that may start Serve:
``runtime_env={"worker_process_setup_hook": "serve.loopback.keep_replicas_on_loopback"}``.
"""

import importlib
import sys
from collections.abc import Callable
from functools import wraps

AddPort = Callable[[object, str], int]

HOME = "ray._common.tls_utils"
"""Where Ray defines the function."""
USER = "ray.serve._private.replica"
"""Which module calls it for a replica, by a name of its own."""
NAME = "add_port_to_grpc_server"
_ALL_INTERFACES = frozenset({"[::]:0", "0.0.0.0:0"})
_LOOPBACK = "127.0.0.1:0"


def keep_replicas_on_loopback() -> None:
    """Bind what asks for all interfaces and any port to loopback instead; a second call changes
    nothing.

    Raises:
        AttributeError: Ray has moved the function; the worker then does not start, which is safer
        than an open port.
    """
    home = importlib.import_module(HOME)
    original: AddPort = getattr(home, NAME)
    wrapped = original if hasattr(original, "__wrapped__") else _on_loopback(original)
    setattr(home, NAME, wrapped)
    user = sys.modules.get(USER)
    if user is not None:
        setattr(user, NAME, wrapped)


def _on_loopback(original: AddPort) -> AddPort:
    @wraps(original)
    def add_port(server: object, address: str) -> int:
        return original(server, _LOOPBACK if address in _ALL_INTERFACES else address)

    return add_port
