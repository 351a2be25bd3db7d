"""What a running session writes into ``run/`` for other processes: typed records, one writer and
one reader for each.

The standard library alone reads them, because ``selflow status`` must answer at once.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from selflow.core.errors import NotRunningError
from selflow.core.paths import Root, settings_variables, write_private

if TYPE_CHECKING:
    from selflow.core.config import Loaded
    from selflow.core.settings import Settings


@dataclass(frozen=True, slots=True)
class RaySession:
    """How Ray came to run: ``run/ray.json``."""

    address: str
    is_ours: bool
    dashboard_port: int | None
    warnings: tuple[str, ...] = ()
    core_pids: tuple[int, ...] = ()
    """Raylet and control store of a session that we started."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Which address carries what: ``run/endpoints.json``. None: this session has no such
    listener.
    """

    inference: str | None = None
    console: str | None = None
    aw: str | None = None
    suggest: str | None = None
    ingest: str | None = None
    ingest_tcp: str | None = None
    dashboard: str | None = None
    ray: str | None = None

    def urls(self) -> dict[str, str]:
        """The listeners of this session by name."""
        named = ((item.name, getattr(self, item.name)) for item in fields(self))
        return {name: url for name, url in named if url is not None}


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """How the owner asked for the session: ``run/request.json``. It names every settings layer, so
    that a rebuild in another folder and environment brings the same session back.
    """

    config_file: str | None = None
    profile: str | None = None
    assignments: tuple[str, ...] = ()
    cwd: str | None = None
    """Where the search for a project file begins; None: no project file has a say."""
    environment: Mapping[str, str] = field(default_factory=lambda: settings_variables(os.environ))
    """The ``SELFLOW_SECTION__KEY`` variables."""
    inference_port: int | None = None
    """Where the session listened before."""

    def settings(self, root: Root) -> "Settings":
        """The settings that the request means now.

        Raises:
            ConfigError: Names file or variable, key and next step.
        """
        return self.layers(root).settings

    def layers(self, root: Root, overrides: Mapping[str, Any] | None = None) -> "Loaded":
        """The same, with the layer that set each key; ``overrides`` stand in for the runtime
        overrides on the disk.

        Raises:
            ConfigError: Names file or variable, key and next step.
        """
        from selflow.core.config_files import load_settings  # pydantic: 100 ms

        return load_settings(
            root,
            self.environment,
            config_file=Path(self.config_file) if self.config_file else None,
            profile=self.profile,
            assignments=self.assignments,
            cwd=Path(self.cwd) if self.cwd else None,
            overrides=overrides,
        )


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process that was seen: its number, and how long after the machine's start it began, name it
    for life. No clock that is set later changes that.
    """

    name: str
    pid: int
    after_boot_us: int


@dataclass(frozen=True, slots=True)
class ConsoleRecord(ProcessRecord):
    """The console's process, where it listens, the port that its settings asked for, and which
    SelFlow it is.
    """

    url: str
    wished_port: int
    version: str = ""


@dataclass(frozen=True, slots=True)
class AwPort:
    """Where ActivityWatch's clients are answered: ``run/aw.json``; the console writes it."""

    url: str | None = None
    problem: str = ""
    """Why they are not."""
    waiting_events: int = 0
    """How many events the log does not have yet."""
    hand_over_problem: str = ""
    """Why they wait."""


T = TypeVar("T", RaySession, Endpoints, SessionRequest, ProcessRecord, ConsoleRecord, AwPort)


def write_ray_session(root: Root, session: RaySession) -> None:
    """Record how Ray came to run."""
    _write(root.ray_session, session)


def read_ray_session(root: Root) -> RaySession | None:
    """How Ray came to run; None if there is no session.

    Raises:
        NotRunningError: The file is there and cannot be read.
    """
    return _read(root.ray_session, RaySession)


def write_endpoints(root: Root, endpoints: Endpoints) -> None:
    """Record where the session listens."""
    _write(root.endpoints, endpoints)


def read_endpoints(root: Root) -> Endpoints | None:
    """Where the session listens; None if there is no session.

    Raises:
        NotRunningError: The file is there and cannot be read.
    """
    return _read(root.endpoints, Endpoints)


def write_request(root: Root, request: SessionRequest) -> None:
    """Record how the session was asked for."""
    _write(root.request, request)


def read_request(root: Root) -> SessionRequest | None:
    """How the session that runs, or ran, was asked for; None if there is none.

    Raises:
        NotRunningError: The file is there and cannot be read.
    """
    return _read(root.request, SessionRequest)


def write_keeper(root: Root, keeper: ProcessRecord) -> None:
    """Record which process keeps the session: ``run/keeper.json``."""
    _write(root.keeper, keeper)


def read_keeper(root: Root) -> ProcessRecord | None:
    """The process that keeps, or kept, the session; None if there is none.

    Raises:
        NotRunningError: The file is there and cannot be read.
    """
    return _read(root.keeper, ProcessRecord)


def write_console(root: Root, console: ConsoleRecord) -> None:
    """Record which process is the console: ``run/console.json``."""
    _write(root.console, console)


def read_console(root: Root) -> ConsoleRecord | None:
    """The process that is, or was, the console; None if there is none.

    Raises:
        NotRunningError: The file is there and cannot be read.
    """
    return _read(root.console, ConsoleRecord)


def write_aw_port(root: Root, port: AwPort) -> None:
    """Record where ActivityWatch's clients are answered."""
    _write(root.aw_port, port)


def read_aw_port(root: Root) -> AwPort | None:
    """Where ActivityWatch's clients are, or were, answered; None if that was never asked for.

    Raises:
        NotRunningError: The file is there and cannot be read.
    """
    return _read(root.aw_port, AwPort)


def _write(
    path: Path, record: RaySession | Endpoints | SessionRequest | ProcessRecord | AwPort
) -> None:
    write_private(path, json.dumps(asdict(record), indent=1))


def _read(path: Path, kind: type[T]) -> T | None:
    """The record in a file. Fields of another version of SelFlow are ignored."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        known = {item.name for item in fields(kind)}
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in raw.items()
            if name in known
        }
        return kind(**values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise NotRunningError(
            f"cannot read {path}", "remove this file, then run: selflow up"
        ) from error
