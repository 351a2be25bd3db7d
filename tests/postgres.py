"""A PostgreSQL server for tests: a folder of its own, on a Unix socket alone, without root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
MISSING = "no PostgreSQL server (Debian: apt-get install postgresql)"
_SUPERUSER = "postgres"


def missing() -> str:
    """Why no server can be started; empty if one can."""
    if not BINARIES and shutil.which("initdb") is None:
        return MISSING
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return "no psycopg (pip install 'selflow[postgres]')"
    return ""


@contextmanager
def server() -> Iterator[str]:
    """A running server; yields a URL up to the database name, which the caller appends.

    PostgreSQL refuses to run as root: then the account of Debian's package runs it.
    """
    binaries = BINARIES[-1].parent if BINARIES else Path(shutil.which("initdb") or "").parent
    owner = _owner()
    folder = Path(tempfile.mkdtemp(prefix="selflow-pg-"))
    if owner is not None:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data, run = folder / "data", _runner(owner, folder)
    try:
        run(binaries / "initdb", "-D", data, "-U", _SUPERUSER, "-A", "trust", "-E", "UTF8", "-N")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        run(binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
        try:
            yield f"postgresql://{_SUPERUSER}@{quote(str(folder), safe='')}/"
        finally:
            run(binaries / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _owner() -> pwd.struct_passwd | None:
    return pwd.getpwnam(_SUPERUSER) if os.getuid() == 0 else None


def _runner(owner: pwd.struct_passwd | None, folder: Path):  # noqa: ANN202  (a function of words)
    def run(*words: str | Path) -> None:
        command = list(map(str, words))
        subprocess.run(
            command,
            check=True,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=60,
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
        )

    return run
