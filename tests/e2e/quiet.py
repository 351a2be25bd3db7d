"""A network of its own for processes: loopback alone, so that nothing outside can answer."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_LOOPBACK_ONLY = """
import fcntl, socket, struct, sys
with socket.socket() as any_socket:  # SIOCSIFFLAGS of netdevice(7): IFF_UP
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 1))
print("up", flush=True)
sys.stdin.read()
"""
_CONNECT = re.compile(r"connect\(\d+, \{sa_family=(AF_INET6?), (.*?)\}")
_LOCAL = ("127.0.0.1", '"::1"', "::ffff:127.0.0.1")


@dataclass(frozen=True)
class Network:
    """``enter`` begins a command line of a process in it; ``reason`` says why there is none."""

    enter: tuple[str, ...] = ()
    reason: str = ""


@contextmanager
def loopback_alone() -> Iterator[Network]:
    """A network with ``lo`` alone while the block runs, where the kernel allows one."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        yield Network(reason="unshare and nsenter of util-linux are missing")
        return
    command = ["unshare", "-rn", sys.executable, "-c", _LOOPBACK_ONLY]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stderr is not None
        try:
            if holder.stdout.readline() == "up\n":
                into = ("-U", "-n", "--preserve-credentials")
                yield Network(("nsenter", "-t", str(holder.pid), *into))
            else:
                yield Network(reason=holder.stderr.read().strip())
        finally:
            holder.stdin.close()


def traced(path: Path) -> tuple[str, ...]:
    """The beginning of a command line whose connections are written to a file; empty without
    strace.
    """
    if shutil.which("strace") is None:
        return ()
    return ("strace", "-f", "-qq", "--seccomp-bpf", "-e", "trace=connect", "-o", str(path))


def connections_outside(path: Path) -> list[str]:
    """The addresses of a trace that are not on this machine."""
    found = _CONNECT.findall(path.read_text(errors="replace"))
    return [rest for _, rest in found if not any(own in rest for own in _LOCAL)]
