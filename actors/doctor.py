"""Checks of a running session and of what lies on disk: each says what was looked at and what is
wrong.
"""

import http.client
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from actors import ray_head
from selflow.core.catalog_location import CatalogLocation
from selflow.core.clock import SystemClock
from selflow.core.errors import NotRunningError, SelFlowError, StoreError
from selflow.core.paths import Root
from selflow.core.processes import living_console, living_keeper
from selflow.core.session_files import RaySession, read_ray_session
from selflow.core.until import pause_text
from selflow.store.pauses import Pause, pause_item, standing
from selflow.store.reading import CatalogReader

_LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
_RAY_CLIENT_PORT = 10_001
_RAY_RANGE = ((2, 60), (2, 61))
_PACKAGES = (
    *("ray", "torch", "transformers", "peft", "scikit-learn", "hdbscan", "optuna"),
    *("lmdb", "msgpack", "psutil", "pydantic", "pyzmq", "sqlalchemy", "watchdog"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: its name, whether it holds, and what was seen or what to do."""

    check: str
    is_ok: bool
    detail: str


def examine(root: Root, catalog: CatalogLocation, inference_port: int | None) -> list[Finding]:
    """Run every check that fits the state of the session. Cost: under a second, without Ray."""
    findings = [*_versions(), *_disk(root, catalog), *_pause(catalog)]
    session = read_ray_session(root)
    if session is None or not ray_head.is_alive(session):
        findings.append(
            Finding("session", is_ok=True, detail="not running; start it with: selflow up")
        )
        return findings
    findings += [Finding("exposure", is_ok=False, detail=warning) for warning in session.warnings]
    findings.append(_keeper(root))
    findings += _console(root)
    if session.is_ours:
        findings += _own_ray(root, session)
    if inference_port is not None:
        findings += _guarded("inference", inference_port, "/metrics")
        findings.append(_suggestions(root))
    return findings


def _versions() -> Iterator[Finding]:
    yield Finding(
        "python", sys.version_info >= (3, 11), f"{sys.version_info.major}.{sys.version_info.minor}"
    )
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            installed = version(name)
            is_ok = (
                name != "ray"
                or _RAY_RANGE[0] <= tuple(map(int, installed.split(".")[:2])) < _RAY_RANGE[1]
            )
            yield Finding(f"version of {name}", is_ok, installed)
            continue
        yield Finding(f"version of {name}", is_ok=False, detail="not installed; run make setup")


def _pause(catalog: CatalogLocation) -> Iterator[Finding]:
    now_us = SystemClock().now_us()
    with suppress(StoreError):  # the check of the catalog says so
        pause = standing(CatalogReader(catalog).learned(Pause), now_us)
        if pause is not None:
            text = pause_text(pause_item(pause)["until"], now_us)
            yield Finding("collection", is_ok=True, detail=f"{text}; to end it: selflow resume")


def _disk(root: Root, catalog: CatalogLocation) -> Iterator[Finding]:
    if not root.path.is_dir():
        yield Finding(
            "state root", is_ok=True, detail=f"{root.path} does not exist; selflow up creates it"
        )
        return
    wide = [path for path in _private_paths(root) if path.stat().st_mode & 0o077]
    detail = (
        f"accessible to other users: {', '.join(map(str, wide[:5]))}; run: chmod -R go= {root.path}"
        if wide
        else "all private"
    )
    yield Finding("modes of the state root", not wide, detail)
    yield _opens("event log", lambda: _log_size(root))
    yield _opens("catalog and its audit chain", lambda: _audit_size(catalog))


def _private_paths(root: Root) -> Iterator[Path]:
    yield root.path
    for folder in (
        root.events,
        root.artifacts,
        root.spool,
        root.log,
        root.run,
        root.derived,
        root.path / "config",
    ):
        if folder.is_dir():
            yield folder
    for path in (
        root.catalog,
        root.token,
        root.run / "ray_token",
        root.run / "ray.env",
        root.socket("ingest.sock"),
        root.socket("suggest.sock"),
        root.socket("console.sock"),
        root.derived / "search.db",
    ):
        if path.exists():
            yield path


def _opens(name: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(name, is_ok=True, detail=look())
    except (SelFlowError, OSError) as error:
        return Finding(name, is_ok=False, detail=str(error))


def _log_size(root: Root) -> str:
    from selflow.store.log import EventLog

    if not any(root.events.iterdir()):
        return "empty"
    log = EventLog.open_for_reading(root.events, 1)
    try:
        return f"{log.fill().events:,} events"
    finally:
        log.close()


def _audit_size(location: CatalogLocation) -> str:
    from selflow.store.catalog import Catalog

    if isinstance(location, Path) and not location.exists():
        return "none yet"
    with Catalog.open(location) as catalog:
        checked = catalog.audit.verify()
    if checked.fault:
        raise StoreError(
            f"the audit log was tampered with: {checked.fault}", "compare it with a backup"
        )
    return f"{checked.entries:,} audit entries, chain intact"


def _keeper(root: Root) -> Finding:
    keeper = living_keeper(root)
    if keeper is not None:
        return Finding("keeper", is_ok=True, detail=f"runs as process {keeper.pid}")
    detail = "not running, so a dead session is not rebuilt; start it with: selflow up"
    return Finding("keeper", is_ok=False, detail=detail)


def _console(root: Root) -> Iterator[Finding]:
    console = living_console(root)
    if console is None:
        detail = "not running; the keeper or selflow up starts it"
        yield Finding("console", is_ok=False, detail=detail)
        return
    port = int(console.url.rpartition(":")[2])
    yield from _guarded("console", port, "/api/system")


def _own_ray(root: Root, session: RaySession) -> Iterator[Finding]:
    open_ports, listeners = _listeners(root)
    detail = ", ".join(open_ports) if open_ports else f"{listeners} listeners, all on loopback"
    yield Finding("listeners", not open_ports, detail)
    yield Finding(
        "Ray Client server", not _answers(_RAY_CLIENT_PORT, root), f"port {_RAY_CLIENT_PORT}"
    )
    yield _asks_for_token(session)
    stats = list(ray_head.ray_temp(root).glob("session_*/usage_stats.json"))
    yield Finding("usage statistics", not stats, "off" if not stats else f"{stats[0]} exists")
    if session.dashboard_port:
        status = _status(session.dashboard_port, "GET", "/api/version", {})
        yield Finding("dashboard requires a token", status == 401, f"answered {status}")


def _asks_for_token(session: RaySession) -> Finding:
    """Whether Ray's control store refuses a call without its token."""
    name = "Ray requires a token"
    try:
        is_asked = ray_head.requires_token(session.address)
    except NotRunningError as error:
        return Finding(name, is_ok=False, detail=str(error))
    answer = "refused" if is_asked else "accepted: any local program can run code through it"
    return Finding(name, is_asked, f"a call without a token was {answer}")


def _listeners(root: Root) -> tuple[list[str], int]:
    beyond: list[str] = []
    count = 0
    for process in ray_head.session_processes(root):
        with suppress(psutil.Error):
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    count += 1
                    if connection.laddr.ip not in _LOOPBACK:
                        beyond.append(
                            f"{process.name()} on {connection.laddr.ip}:{connection.laddr.port}"
                        )
    return beyond, count


def _answers(port: int, root: Root) -> bool:
    for process in ray_head.session_processes(root):
        with suppress(psutil.Error):
            if any(
                c.status == psutil.CONN_LISTEN and c.laddr.port == port
                for c in process.net_connections("inet")
            ):
                return True
    return False


def _guarded(name: str, port: int, closed_path: str) -> Iterator[Finding]:
    """Whether one of our listeners answers, and only to who may ask."""
    status = _status(port, "GET", "/health", {})
    yield Finding(f"{name} answers", status == 200, f"GET /health answered {status}")
    status = _status(port, "GET", closed_path, {})
    yield Finding(f"{name} requires a token", status == 401, f"GET {closed_path} answered {status}")
    status = _status(port, "GET", "/health", {"Host": "elsewhere.example"})
    yield Finding(
        f"{name} checks the Host header", status == 421, f"a foreign Host was answered {status}"
    )


def _suggestions(root: Root) -> Finding:
    """Whether a shell of the owner gets an answer, if only that the lines are being loaded."""
    path = root.socket("suggest.sock")
    body = b"shell\x1f\x1f"
    head = f"POST /v1/suggest HTTP/1.0\r\nAccept: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            client.connect(str(path))
            client.sendall(head.encode() + body)
            status = client.recv(64).partition(b"\r\n")[0].decode("latin-1")
    except OSError as error:
        return Finding("suggestions answer", is_ok=False, detail=f"{path}: {error.strerror}")
    is_ok = status.startswith(("HTTP/1.1 200 ", "HTTP/1.1 503 "))
    return Finding("suggestions answer", is_ok, f"{path} answered {status or 'nothing'}")


def _status(port: int, method: str, path: str, headers: dict[str, str]) -> int | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, headers=headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
